"""Translators and energies of pictures."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.networks import InstanceNorm, PictureEnergy, ResidualTranslator
from tests import oracles

X = tf.constant(np.random.default_rng(0).uniform(-1, 1, [3, 8, 8, 3]),
                tf.float32)
FOUR = ((64, 128, 256, 512), (3, 4, 4, 4), (1, 2, 2, 2))
SMALL = ((4, 5), (3, 4), (1, 2), 3)


@pytest.mark.parametrize("side, expected", [
    (256, 55_184_100), (128, 15_862_500), (64, 6_032_100)])
def test_the_published_energies_have_the_published_sizes(side, expected):
    layers = 0
    shape, fan_in = side, 3
    for units, size, stride in zip(*FOUR):
        layers += size * size * fan_in * units + units
        shape, fan_in = shape // stride, units
    assert layers + shape * shape * fan_in * 100 + 100 == expected
    if side == 64:
        assert PictureEnergy((64, 64, 3), *FOUR).count_params() == expected


@pytest.mark.parametrize("blocks, expected", [(9, 11_388_675), (6, 7_845_123)])
def test_the_published_translators_have_the_published_sizes(blocks, expected):
    layer = ResidualTranslator((16, 16, 3), 64, blocks)
    assert layer.count_params() == expected
    assert all(abs(float(tf.math.reduce_std(c.kernel)) - 0.002) < 1e-4
               for c in layer.convolutions)


def test_a_map_is_normalized_alone():
    layer = InstanceNorm(3)
    y = layer(5.0 * X + 2.0)
    scale = layer.scale.numpy()
    np.testing.assert_allclose(tf.reduce_mean(y, [1, 2]), np.zeros([3, 3]),
                               atol=1e-5)
    np.testing.assert_allclose(
        tf.math.reduce_std(y, [1, 2]), np.tile(scale, [3, 1]), rtol=1e-4)
    assert 0 < np.std(scale) < 0.05
    np.testing.assert_allclose(layer(5.0 * X[:1] + 2.0), y[:1], atol=1e-5)


def test_a_translation_is_a_picture_and_dropout_changes_it():
    layer = ResidualTranslator((8, 8, 3), 4, 2, 0.5, 0.2)
    y = layer(X)
    assert y.shape == X.shape and np.max(np.abs(y)) <= 1

    def drop(values, name):
        return values * rng.dropout_mask(
            tf.shape(values), 0.5, rng.stream(rng.make_seed(1), name))
    assert np.any(layer(X, drop=drop) != y)
    np.testing.assert_array_equal(layer(X, drop=drop), layer(X, drop=drop))


def test_an_energy_is_minus_the_sum_of_its_outputs():
    layer = PictureEnergy((8, 8, 3), *SMALL, weight_scale=0.1)
    np.testing.assert_allclose(
        layer(X), -np.sum(layer.outputs(X), -1), rtol=1e-6)
    assert layer.outputs(X).shape == (3, 3)


@pytest.mark.parametrize("make", [
    lambda: PictureEnergy((8, 8, 3), *SMALL, weight_scale=0.1, seed=3),
    lambda: ResidualTranslator((8, 8, 3), 4, 1, weight_scale=0.1, seed=3)])
def test_a_network_is_made_again_from_its_configuration(make):
    layer = make()
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(layer(X), again(X))


def test_half_precision_ends_in_single():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layers = (ResidualTranslator((8, 8, 3), 4, 1, weight_scale=0.1),
                  PictureEnergy((8, 8, 3), *SMALL, weight_scale=0.1))
    finally:
        keras.config.set_dtype_policy("float32")
    assert [layer(X).dtype for layer in layers] == [tf.float32] * 2
    assert all(variable.dtype == "float32" for layer in layers
               for variable in layer.variables)


@pytest.mark.parametrize("make, message", [
    (lambda: PictureEnergy((12, 16, 1), *FOUR),
     "the energy needs sides that are multiples of 8, got images of 12x16."),
    (lambda: ResidualTranslator((16, 18, 1)),
     "the translator needs sides that are multiples of 4, got images of "
     "16x18."),
    (lambda: ResidualTranslator((4, 8, 1)),
     "the translator needs sides of at least 8, got 4x8."),
    (lambda: PictureEnergy((8, 8, 1), (4, 5), (3,), (1, 2)),
     "channels, kernel_sizes and strides must have equal lengths, got 2, 1 and "
     "2.")])
def test_what_can_not_be_halved_is_refused(make, message):
    with oracles.raises(ValueError, message):
        make()
