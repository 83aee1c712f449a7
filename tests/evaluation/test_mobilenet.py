"""Tests of the features of MobileNet, with weights made up here."""

import keras
import numpy as np
import pytest

from lebm_tf.errors import InputError
from lebm_tf.evaluation.images import features, mobilenet


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(128, 128, 3))


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("weights") / "mobilenet.npz")
    np.savez(path, **{
        f"{layer.name}__{i}": value for layer in network.layers
        for i, value in enumerate(layer.get_weights())})
    return path


def test_features_are_those_of_the_network_at_128_pixels(
        network, weights, digits):
    extract = features.load("mobilenet", digits, mobilenet_weights=weights)
    images = np.random.default_rng(0).uniform(-1, 1, [2, 128, 128, 3])
    expected = keras.Model(
        network.input, network.get_layer("conv_pw_12_relu").output)(images)
    found = extract(images.astype(np.float32))
    assert found.shape == (2, mobilenet.NUM_FEATURES)
    np.testing.assert_allclose(
        found, np.mean(expected, (1, 2)), rtol=1e-3, atol=1e-4)
    assert extract(digits.x_test[:3]).shape == (3, mobilenet.NUM_FEATURES)
    assert (extract.name, extract.reference) == ("mobilenet", "held_out")


@pytest.mark.parametrize("name, content", [
    ("absent.npz", None), ("text.npz", b"text"), ("text.h5", b"text"),
    ("", None)])
def test_a_file_that_is_not_it_says_what_is_needed(name, content, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        mobilenet.load(str(tmp_path / name))
    message = str(error.value)
    assert name in message and "\n" not in message
    assert message.startswith("mobilenet_weights must be a file with")


def test_weights_of_another_network_are_refused(tmp_path):
    path = str(tmp_path / "other.npz")
    np.savez(path, dense__0=np.zeros([3, 3]))
    with pytest.raises(InputError, match="conv1"):
        mobilenet.load(path)
