"""Tests of data sets by name."""

import numpy as np
import pytest
from sklearn import datasets

from lebm_tf.datasets.loading import DATASETS, load_dataset
from lebm_tf.errors import InputError


def test_digits_are_split_once_and_for_all():
    data = load_dataset("digits")
    assert data.x_train.shape == (1347, 8, 8, 1)
    assert data.x_test.shape == (450, 8, 8, 1)
    assert data.num_classes == 10
    # Stratified: every class has its quarter.
    total = np.bincount(data.y_train) + np.bincount(data.y_test)
    np.testing.assert_allclose(np.bincount(data.y_test), total / 4, atol=1)
    again = load_dataset("digits")
    np.testing.assert_array_equal(data.x_test, again.x_test)
    # Pins the split against changes of scikit-learn.
    assert list(data.y_test[:8]) == [2, 0, 4, 9, 4, 1, 2, 4]


def test_digits_are_scaled_by_the_documented_rule():
    data = load_dataset("digits")
    pictures = np.concatenate([data.x_train, data.x_test]).reshape(-1, 64)
    source = np.rint(datasets.load_digits().data * 255 / 16).astype(np.uint8)
    assert sorted(map(bytes, pictures)) == sorted(map(bytes, source))
    assert pictures.max() == 255


def test_digits_can_be_resized():
    assert load_dataset("digits", image_size=16).shape == (16, 16, 1)


def test_an_unknown_name_lists_the_known_and_the_nearest():
    with pytest.raises(InputError) as error:
        load_dataset("cifar-10")
    assert str(error.value) == (
        "unknown data set 'cifar-10'. Did you mean cifar10? Known: digits, "
        "usps, mnist, fashion_mnist, svhn_cropped, cifar10, celeb_a, npz:FILE, "
        "folder:DIR, records:DIR, pair:A,B, ptb, snli, yahoo, zinc, text:FILE, "
        "smiles:FILE, tfds:NAME, agnews, protein, hepmass, miniboone, "
        "csv:FILE, sdd, eth, hotel, univ, zara1, zara2.")


@pytest.mark.parametrize("name", ["", "npz", "mnist:", "digits:x", "zip:a"])
def test_a_malformed_name_is_unknown(name):
    with pytest.raises(InputError, match=f"^unknown data set '{name}'"):
        load_dataset(name)


@pytest.mark.parametrize("name, known", [("npz:", "npz:FILE"),
                                         ("folder:", "folder:DIR")])
def test_a_path_is_needed_where_one_belongs(name, known):
    with pytest.raises(InputError, match=f"must be {known}, got '{name}'"):
        load_dataset(name)


@pytest.mark.parametrize("name", DATASETS)
def test_every_loader_gets_its_framing_checked_first(name):
    with pytest.raises(InputError, match="image_size must be >= 0, got -8"):
        load_dataset(name, image_size=-8)
