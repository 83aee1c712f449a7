"""Batches of sequences that are about as long."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import train
from lebm_tf.configuration.data import DataConfig
from lebm_tf.datasets import (
    SequenceData, VectorData, Vocabulary, steps_per_epoch, train_batches)
from lebm_tf.datasets.sequences.vocabulary import SPECIAL
from lebm_tf.errors import InputError
from tests.commands.conftest import call

BATCH, POOL, NUM_ROWS = 10, 4, 203
LENGTHS = np.random.default_rng(1).integers(1, 60, NUM_ROWS)
PLACES = np.arange(60) - LENGTHS[:, None]
X = np.select([PLACES < -1, PLACES == -1], [5, 3]).astype(np.int32)
DATA = SequenceData("toy", X, X[:2], Vocabulary((*SPECIAL, "a", "b")))
STEPS = NUM_ROWS // BATCH


def take(num_steps, start_step=0, pool=POOL, context=None, seed=3):
    stream = train_batches(
        DATA, BATCH, seed, start_step, context or tf.distribute.InputContext(),
        length_pool=pool)
    return list(stream.take(num_steps).as_numpy_iterator())


def rows(batches):
    return np.stack([batch["index"] for batch in batches])


def test_an_epoch_has_no_row_twice_and_epochs_differ():
    epochs = rows(take(2 * STEPS)).reshape(2, -1)
    assert all(len(set(epoch)) == STEPS * BATCH for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()


def test_a_pool_holds_the_rows_of_its_batches_without_one():
    pooled, plain = rows(take(STEPS)), rows(take(STEPS, pool=1))
    for first in range(0, STEPS, POOL):  # The last pool is smaller.
        assert set(pooled[first:][:POOL].ravel()) == set(
            plain[first:][:POOL].ravel())


def test_batches_are_sorted_by_length_and_come_in_any_order():
    batches = rows(take(STEPS))
    ranges = [(LENGTHS[index].min(), LENGTHS[index].max())
              for index in batches]
    orders = set()
    for first in range(0, STEPS, POOL):
        pool = ranges[first:][:POOL]
        order = sorted(pool)
        assert all(a[1] <= b[0] for a, b in zip(order, order[1:]))
        orders.add(tuple(order.index(own) for own in pool))
    assert len(orders) > 2


def test_little_is_padding():
    def padding(pool):
        batches = take(STEPS, pool=pool)
        return np.mean(np.concatenate([
            batch["x"].ravel() == 0 for batch in batches]))
    assert padding(20) < 0.1 < 0.4 < padding(1)


@pytest.mark.parametrize("start_step", [1, 19, 23])
def test_a_late_start_equals_skipping(start_step):
    np.testing.assert_array_equal(
        rows(take(5, start_step)), rows(take(30))[start_step:][:5])


def test_replicas_together_read_what_one_would():
    pieces = take(12, context=tf.distribute.InputContext(1, 0, 2))
    for step, whole in enumerate(take(6)):
        for name in whole:
            np.testing.assert_array_equal(whole[name], np.concatenate(
                [piece[name] for piece in pieces[2 * step:][:2]]))


def test_the_order_depends_on_the_seed():
    assert (rows(take(5)) != rows(take(5, seed=4))).any()


def test_what_has_no_length_is_refused_before_anything_is_written(
        tmp_path, capsys):
    path = tmp_path / "run"
    assert call(train, "--flagfile=configs/smoke/image.cfg",
                f"--workdir={path}", "--length_pool=4") == 2
    assert ("length_pool must be left out for digits, got 4"
            in capsys.readouterr().err)
    assert not path.exists()


def test_a_pool_of_none_is_refused():
    with pytest.raises(ValueError, match="length_pool must be >= 1, got 0"):
        DataConfig(length_pool=0)
    with pytest.raises(InputError, match="length_pool must be 1"):
        rows = np.ones([4, 2], np.float32)
        steps_per_epoch(VectorData("table", rows, rows), 2, length_pool=2)
