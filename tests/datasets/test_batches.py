"""Tests of the stream of training batches."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.datasets.batches import permuted, steps_per_epoch, train_batches
from lebm_tf.datasets.images.data import ImageData
from lebm_tf.errors import InputError

NUM_ROWS, BATCH_SIZE = 23, 5
PICTURES = np.random.default_rng(0).integers(
    0, 256, [NUM_ROWS, 2, 3, 1]).astype(np.uint8)
DATA = ImageData("toy", PICTURES, PICTURES[:2], np.arange(NUM_ROWS) % 7)


def take(num_steps, data=DATA, seed=3, start_step=0):
    stream = train_batches(data, BATCH_SIZE, seed, start_step)
    return list(stream.take(num_steps).as_numpy_iterator())


def rows(batches):
    return np.stack([batch["index"] for batch in batches])


def test_shapes_are_static_and_the_stream_is_endless():
    stream = train_batches(DATA, BATCH_SIZE, seed=0)
    assert stream.element_spec == {
        "x": tf.TensorSpec([BATCH_SIZE, 2, 3, 1], tf.float32),
        "index": tf.TensorSpec([BATCH_SIZE], tf.int64),
        "y": tf.TensorSpec([BATCH_SIZE], tf.int64)}
    assert stream.cardinality() == tf.data.INFINITE_CARDINALITY


def test_pictures_and_labels_are_those_of_the_index():
    for batch in take(6):
        np.testing.assert_array_equal(
            batch["x"], PICTURES[batch["index"]].astype(np.float32) / 127.5 - 1)
        np.testing.assert_array_equal(batch["y"], batch["index"] % 7)


def test_without_labels_there_is_no_y():
    floats = PICTURES.astype(np.float32) / 255.0
    batch, = take(1, ImageData("toy", floats, floats))
    assert set(batch) == {"x", "index"}
    np.testing.assert_array_equal(batch["x"], floats[batch["index"]])


@pytest.mark.parametrize("start_step", [1, 4, 7, 4_000_000_003])
def test_a_late_start_equals_skipping(start_step):
    num_steps = steps_per_epoch(DATA, BATCH_SIZE)
    late = rows(take(6, start_step=start_step))
    if start_step < 100:
        np.testing.assert_array_equal(late, rows(take(13))[start_step:][:6])
    # Also far on, where skipping is no option: the row is a function of n.
    for n, index in enumerate(late, start_step):
        positions = n % num_steps * BATCH_SIZE + tf.range(
            BATCH_SIZE, dtype=tf.int64)
        np.testing.assert_array_equal(index, permuted(
            positions, NUM_ROWS, 3, tf.constant(n // num_steps, tf.int64)))


def test_an_epoch_has_no_row_twice_and_epochs_differ_in_order():
    epochs = rows(take(12)).reshape(3, -1)
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    # The remainder that is dropped is another one each time.
    assert len({frozenset(epoch) for epoch in epochs}) == 3


def test_the_order_depends_on_the_seed_alone():
    np.testing.assert_array_equal(rows(take(9)), rows(take(9)))
    assert (rows(take(9)) != rows(take(9, seed=4))).any()
    assert (rows(take(9)) != rows(take(9, seed=-3))).any()


@pytest.mark.parametrize("num_rows", [1797, 60_000])
def test_orders_are_independent_of_the_rows_and_of_one_another(num_rows):
    """Fails with index_shuffle's own 4 rounds: correlations up to 0.8."""
    positions = tf.range(num_rows, dtype=tf.int64)
    orders = [positions] + [
        permuted(positions, num_rows, 0, tf.constant(epoch, tf.int64))
        for epoch in range(4)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), positions)
    correlations = np.corrcoef(orders) - np.eye(5)
    # The standard error of a correlation of independent orders.
    assert np.abs(correlations).max() < 5.0 / num_rows**0.5


def test_pictures_are_not_written_into_the_graph():
    pictures = np.zeros([64, 32, 32, 3], np.uint8)
    stream = train_batches(ImageData("toy", pictures, pictures), 2, seed=0)
    graph = stream._input_dataset._map_func.function.graph
    assert graph.as_graph_def().ByteSize() < pictures.nbytes / 4


@pytest.mark.parametrize("batch_size", [0, NUM_ROWS + 1])
def test_a_batch_size_out_of_range_names_the_range(batch_size):
    with pytest.raises(InputError, match=r"batch_size must be from 1 to 23, "
                                         f"the .* of toy, got {batch_size}"):
        train_batches(DATA, batch_size, seed=0)


def test_a_negative_start_is_refused():
    with pytest.raises(ValueError, match="start_step must be >= 0, got -1"):
        train_batches(DATA, BATCH_SIZE, seed=0, start_step=-1)


@pytest.mark.parametrize("num_workers, num_local", [(1, 5), (5, 1), (2, 3)])
def test_workers_together_read_what_one_would(num_workers, num_local):
    """Every example once an epoch, in the same order, wherever they start."""
    size = num_workers * num_local
    data = ImageData("toy", PICTURES[:20], PICTURES[:2])
    alone = train_batches(data, size, 3, 2)
    pieces = [list(train_batches(data, size, 3, 2, tf.distribute.InputContext(
        num_workers, worker, size)).take(4 * num_local).as_numpy_iterator())
        for worker in range(num_workers)]
    for step, batch in enumerate(alone.take(4).as_numpy_iterator()):
        own = slice(step * num_local, (step + 1) * num_local)
        together = [piece for worker in pieces for piece in worker[own]]
        for name in batch:
            np.testing.assert_array_equal(batch[name], np.concatenate(
                [piece[name] for piece in together]))


def test_a_batch_that_replicas_cannot_share_is_refused():
    with pytest.raises(InputError, match="batch_size must be a multiple of "
                       "the 2 replicas, got 5"):
        train_batches(DATA, 5, 0, context=tf.distribute.InputContext(1, 0, 2))
