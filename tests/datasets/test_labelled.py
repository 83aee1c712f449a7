"""Few labels beside many examples: who keeps one, and that none leaks."""

import numpy as np
import pytest

from lebm_tf.datasets import (
    ImageData, UnigramData, VectorData, label_split, train_batches)
from lebm_tf.errors import InputError

RANDOM = np.random.default_rng(0)
Y = RANDOM.permutation(np.repeat(np.arange(3), [50, 30, 20]))
X = RANDOM.normal(size=[100, 4]).astype(np.float32)
TABLE = VectorData("table", X, X[:5], Y, Y[:5])


def test_stratified_labels_are_equally_many_of_every_class():
    split = label_split(TABLE, 8, seed=1)
    assert np.bincount(split.labelled.y).tolist() == [3, 3, 2]
    np.testing.assert_array_equal(split.labelled.y, Y[split.labelled.index])
    np.testing.assert_array_equal(split.labelled.x, X[split.labelled.index])
    assert len(np.unique(split.labelled.index)) == 8
    assert split.num_classes == 3


def test_other_labels_are_forgotten_and_no_example_is():
    split = label_split(TABLE, 8)
    assert split.y_train is None
    np.testing.assert_array_equal(split.x_train, X)
    np.testing.assert_array_equal(split.y_test, Y[:5])


def test_a_seed_is_a_draw_of_the_labels():
    draws = [label_split(TABLE, 8, seed=s).labelled.index for s in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert set(draws[0]) != set(draws[2])


def test_without_stratification_any_row_may_be_chosen():
    chosen = label_split(TABLE, 90, stratified=False).labelled
    assert np.bincount(chosen.y).max() > 30
    with pytest.raises(InputError, match="30 examples of class 2, got 20"):
        label_split(TABLE, 90)


@pytest.mark.parametrize("number", [0, 101])
def test_there_are_as_many_labels_as_examples_at_most(number):
    with pytest.raises(InputError, match=f"from 1 to 100.*got {number}"):
        label_split(TABLE, number)


def test_data_without_labels_are_refused():
    with pytest.raises(InputError, match="needs training labels"):
        label_split(VectorData("table", X, X), 3)


def test_training_sees_no_label_but_those_given():
    """Data whose labels differ in all other rows give the same batches."""
    kept = label_split(TABLE, 6, stratified=False)
    other = Y.copy()
    rest = np.setdiff1d(np.arange(100), kept.labelled.index)
    other[rest] = (other[rest] + 1) % 3
    second = label_split(VectorData("table", X, X[:5], other, Y[:5]), 6,
                         stratified=False)
    for a, b, _ in zip(train_batches(kept, 20, 0), train_batches(
            second, 20, 0), range(10)):
        assert set(a) == set(b) == {"x", "index", "labelled_x", "labelled_y"}
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def test_labelled_rows_come_in_epochs_of_their_own():
    split = label_split(TABLE, 9, batch_size=3)
    rows = [batch for batch, _ in zip(train_batches(split, 20, 0), range(6))]
    for epoch in (rows[:3], rows[3:]):
        seen = np.concatenate([batch["labelled_x"] for batch in epoch])
        np.testing.assert_array_equal(
            np.sort(seen, 0), np.sort(split.labelled.x, 0))
    again = next(iter(train_batches(split, 20, 0, start_step=4)))
    np.testing.assert_array_equal(again["labelled_x"], rows[4]["labelled_x"])


def test_all_labels_come_with_every_batch_where_they_are_few():
    split = label_split(TABLE, 9, batch_size=50)
    batch = next(iter(train_batches(split, 20, 0)))
    np.testing.assert_array_equal(
        np.sort(batch["labelled_y"]), np.sort(split.labelled.y))


def test_pictures_and_words_are_split_alike():
    pictures = RANDOM.integers(0, 255, [100, 4, 4, 1]).astype(np.uint8)
    split = label_split(ImageData("p", pictures, pictures, Y, Y), 6)
    batch = next(iter(train_batches(split, 20, 0)))
    assert batch["labelled_x"].shape == (6, 4, 4, 1)
    assert np.abs(batch["labelled_x"]).max() <= 1
    words = RANDOM.integers(0, 5, [100, 6]).astype(np.int32)
    split = label_split(UnigramData(
        "w", words, words, Y, Y, words=("", "a", "b", "c", "d")), 6)
    batch = next(iter(train_batches(split, 20, 0)))
    for row, index in zip(batch["x"].numpy(), batch["index"].numpy()):
        counts = np.bincount(words[index], minlength=5)
        assert row[0] == 0
        np.testing.assert_array_equal(row[1:], counts[1:])
