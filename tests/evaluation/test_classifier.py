"""Tests of the feature classifier and its file."""

import dataclasses

import numpy as np
import pytest

from lebm_tf.datasets import ImageData, load_dataset, to_model
from lebm_tf.errors import InputError
from lebm_tf.evaluation.images import classifier, features


def test_it_learns_the_digits_in_seconds():
    """Above 96% held-out, where a nearest mean has 90%."""
    _, accuracy = classifier.load(load_dataset("digits"), 150)
    assert accuracy > 0.96


def test_equal_data_give_equal_features(digits):
    x = to_model(digits.x_test)
    first, _ = classifier.load(digits, 5)
    second, _ = classifier.load(digits, 5)
    np.testing.assert_array_equal(first(x), second(x))
    assert first(x).shape == (len(x), classifier.NUM_FEATURES)


def test_a_file_keeps_it_and_knows_whose_it_is(digits, tmp_path, monkeypatch):
    path = str(tmp_path / "classifier.npz")
    first, accuracy = classifier.load(digits, 5, path)
    trained = []
    train = classifier._train
    monkeypatch.setattr(classifier, "_train", lambda *arguments: (
        trained.append(1), train(*arguments)))
    again, same = classifier.load(digits, 5, path)
    x = to_model(digits.x_test)
    np.testing.assert_array_equal(first(x), again(x))
    assert same == accuracy and not trained
    classifier.load(digits, 6, path)
    assert len(trained) == 1
    other = dataclasses.replace(digits, y_train=digits.y_train[::-1])
    classifier.load(other, 6, path)
    assert len(trained) == 2


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off"])
def test_a_broken_file_is_written_anew(content, digits, tmp_path):
    path = tmp_path / "classifier.npz"
    path.write_bytes(content)
    classifier.load(digits, 2, str(path))
    with np.load(path) as file:
        assert "key" in file


def test_data_without_labels_have_no_classifier(digits):
    bare = ImageData("bare", digits.x_train, digits.x_test)
    with pytest.raises(InputError, match="^features=classifier needs training "
                       "labels, got none in bare; use features=inception"):
        features.load("classifier", bare)


def test_features_say_what_they_were_measured_with(digits):
    extract = features.load("classifier", digits, num_classifier_steps=2)
    assert (extract.name, extract.reference) == ("classifier", "held_out")
    (name, accuracy), = extract.metrics
    assert name == "classifier_accuracy" and 0.0 <= accuracy <= 1.0
    # Pixels and model units are the same pictures.
    np.testing.assert_array_equal(
        extract(digits.x_test[:7]), extract(to_model(digits.x_test[:7])))


@pytest.mark.parametrize("shape", [(7, 9, 1), (28, 28, 1), (40, 40, 3)])
def test_every_picture_size_has_a_classifier(shape, numbers):
    x = numbers.randint(0, 256, size=(20, *shape)).astype(np.uint8)
    data = ImageData("noise", x, x, np.arange(20) % 3, np.arange(20) % 3)
    network, _ = classifier.load(data, 1)
    assert network(to_model(x)).shape == (20, 64)
