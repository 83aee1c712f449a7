"""Networks: shapes, first weights, and what a bad argument is told."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from lebm_tf.networks import (
    ConvEncoder, DeconvGenerator, EnergyMLP, WideResidualEncoder, activations,
    initializers)
from lebm_tf.networks.convolutional import LatentToMap
from tests import oracles


def count(layer):
    return sum(int(np.prod(v.shape)) for v in layer.trainable_variables)


@pytest.mark.parametrize("arguments,expected", [
    # SVHN, CIFAR-10, CelebA-64 and CelebA-128 of the reference card, A.3.
    ((100, (32, 32, 3), 4, (512, 256, 128), 2), 3_447_683),
    ((128, (32, 32, 3), 8, (1024, 512, 256), 1), 18_883_075),
    ((100, (64, 64, 3), 4, (1024, 512, 256, 128), 2), 12_656_515)],
    ids=["svhn", "cifar10", "celeba64"])
def test_the_published_generators_have_the_published_sizes(
        arguments, expected):
    assert count(DeconvGenerator(*arguments)) == expected


@pytest.mark.parametrize("latent_dim,width,expected", [
    (100, 200, 60_601), (128, 200, 66_201), (100, 1000, 1_103_001)])
def test_the_published_energies_have_the_published_sizes(
        latent_dim, width, expected):
    assert count(EnergyMLP(latent_dim, (width, width))) == expected


@pytest.mark.parametrize("base_size,channels,stride,side", [
    (4, (6,), 2, 8), (4, (6, 5), 2, 16), (7, (6, 5), 1, 14), (3, (4,), 1, 3)])
def test_a_generator_makes_the_images_it_promises(
        base_size, channels, stride, side):
    layer = DeconvGenerator(3, (side, side, 2), base_size, channels, stride)
    images = layer(5.0 * tf.random.normal([4, 3]))
    assert (images.shape, images.dtype) == ((4, side, side, 2), tf.float32)
    assert np.max(np.abs(images)) <= 1.0


def test_an_encoder_gives_a_mean_and_a_log_scale():
    mean, log_scale = ConvEncoder(5, (9, 7, 3), (4, 6))(tf.ones([2, 9, 7, 3]))
    assert mean.shape == log_scale.shape == (2, 5)
    assert np.all(np.not_equal(mean, log_scale))


def test_an_energy_is_one_number_a_row():
    """And it is the matrix products that the docstring writes."""
    layer = EnergyMLP(3, (4,), activation="tanh")
    z = np.float32([[0.1, -2.0, 1.0], [1.0, 0.0, 0.5]])
    kernel, bias, head, offset = map(np.asarray, layer.get_weights())
    np.testing.assert_allclose(
        layer(z), (np.tanh(z @ kernel + bias) @ head + offset)[:, 0],
        rtol=1e-5)


def test_the_first_map_is_a_transposed_convolution_of_a_single_pixel():
    layer = LatentToMap(4, 5, seed=1)
    z = tf.constant(np.random.default_rng(0).normal(size=[2, 3]), tf.float32)
    layer.build(z.shape)
    twin = keras.layers.Conv2DTranspose(5, 4, padding="valid")
    twin.build((None, 1, 1, 3))
    kernel = np.reshape(layer.kernel, [3, 4, 4, 5])
    twin.set_weights([kernel.transpose(1, 2, 3, 0), np.asarray(layer.bias)])
    np.testing.assert_allclose(
        layer(z), twin(z[:, None, None, :]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [
    lambda seed: EnergyMLP(3, (4, 4), seed=seed),
    lambda seed: DeconvGenerator(3, (8, 8, 3), 4, (5,), seed=seed),
    lambda seed: ConvEncoder(3, (8, 8, 3), (4, 5), seed=seed)],
    ids=["energy", "generator", "encoder"])
def test_first_weights_depend_on_the_seed_alone(make):
    first, again, other = (make(seed).get_weights() for seed in (1, 1, 2))
    for a, b, c in zip(first, again, other):
        np.testing.assert_array_equal(a, b)
        assert np.all(a != c)
    # No two layers of one network share their numbers.
    values = np.concatenate([np.ravel(a) for a in first])
    assert len(np.unique(values)) > 0.99 * len(values)


def uniform(limit):
    """Standard deviation of U(-limit, limit), and that it is bounded."""
    return limit / 3**0.5, True


def normal(spread):
    return spread, False


@pytest.mark.parametrize("weights,spread", [
    # Dense: U(-1/sqrt(fan_in), +), kernels and biases.
    (lambda: EnergyMLP(100, (200,)).layers[0].get_weights(),
     [uniform(100**-0.5)] * 2),
    # Map: Xavier normal with fans (in + out) k k; bias 1/sqrt(out k k).
    (lambda: DeconvGenerator(50, (8, 8, 3), 4, (60,)).first.get_weights(),
     [normal((2 / (110 * 16))**0.5), uniform((60 * 16)**-0.5)]),
    (lambda: DeconvGenerator(2, (8, 8, 90), 4, (60,)).layers[0].get_weights(),
     [normal((2 / (150 * 16))**0.5), uniform((90 * 16)**-0.5)]),
    # Convolution: the bias has PyTorch's fan_in, in k k.
    (lambda: ConvEncoder(2, (8, 8, 40), (90,)).layers[0].get_weights(),
     [normal((2 / (130 * 9))**0.5), uniform((40 * 9)**-0.5)])],
    ids=["dense", "map", "deconvolution", "convolution"])
def test_first_weights_are_spread_as_in_the_authors_program(weights, spread):
    for values, (expected, is_bounded) in zip(weights(), spread):
        error = 4 * (2 / values.size)**0.5  # Of a relative spread, normal.
        assert np.std(values) == pytest.approx(expected, rel=error)
        assert abs(np.mean(values)) < 5 * expected / values.size**0.5
        assert (np.max(np.abs(values)) <= 1.7321 * expected) == is_bounded


def test_names_derive_different_seeds():
    seeds = {initializers.derive_seed(seed, name)
             for seed in range(5) for name in ("a", "b", "a/kernel")}
    assert len(seeds) == 15 and all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize("dtype,tolerance", [("float32", 1e-6),
                                             ("float64", 1e-15)])
@pytest.mark.parametrize("name", ["leaky_relu", "gelu"])
def test_activations_are_exact_in_every_precision(name, dtype, tolerance):
    x = np.linspace(-4.0, 4.0, 41).astype(dtype)
    expected = {"leaky_relu": np.maximum(x, 0.2 * x.astype(np.float64)),
                "gelu": x * scipy.stats.norm.cdf(x.astype(np.float64))}[name]
    np.testing.assert_allclose(
        activations.get(name)(tf.constant(x)), expected, atol=tolerance)


def test_an_energy_stays_in_full_precision_under_a_mixed_policy():
    layer = EnergyMLP(3, (4,), dtype="mixed_bfloat16")
    assert layer(tf.ones([2, 3])).dtype == tf.float32
    generator = DeconvGenerator(3, (8, 8, 3), 4, (5,), dtype="mixed_bfloat16")
    assert generator(tf.ones([2, 3])).dtype == tf.float32
    assert generator.layers[0].compute_dtype == "bfloat16"


@pytest.mark.parametrize("make,message", [
    (lambda: EnergyMLP(0), "latent_dim and hidden_units must be >= 1, got "
     "0 and (200, 200)."),
    (lambda: EnergyMLP(3, (4,), "swoosh"), "activation must be one of gelu, "
     "leaky_relu, linear, relu, silu, tanh, got 'swoosh'."),
    (lambda: DeconvGenerator(3, (8, 8, 3), 4, (5,), 3),
     "final_stride must be 1 or 2, got 3."),
    (lambda: DeconvGenerator(3, (8, 8, 3), 4, ()),
     "base_size and all channels must be >= 1, got 4 and ()."),
    (lambda: DeconvGenerator(3, (9, 9, 3), 4, (5,)),
     "the generator makes 8x8 images (base_size 4, 1 channels, final_stride "
     "2), got images of 9x9; with this base_size and final_stride, 1 to 6 "
     "channels make 8, 16, 32, 64, 128, 256."),
    (lambda: ConvEncoder(3, (8, 8, 3), (4, 0)),
     "channels must all be >= 1, got (4, 0).")])
def test_a_bad_value_is_refused_with_its_message(make, message):
    with oracles.raises(ValueError, message):
        make()


def test_a_wide_residual_network_has_its_layers_and_its_size():
    """28 layers: one, 24 in blocks, and 3 that the count leaves to pooling
    and shortcuts; 5.8 million parameters without any normalization."""
    encoder = WideResidualEncoder(100, (32, 32, 3))
    assert len(encoder.blocks()) == 12
    assert len(encoder.convolutions) == 1 + 24 + 3
    kernels = 9 * (3 * 16)
    for wide_in, wide in ((16, 48), (48, 96), (96, 192)):
        kernels += 9 * (wide_in * wide + 7 * wide**2) + wide_in * wide
    biases = 16 + sum(9 * wide for wide in (48, 96, 192))
    assert encoder.count_params() == kernels + biases + 193 * 200


def test_a_wide_residual_network_drops_and_halves():
    encoder = WideResidualEncoder(3, (8, 12, 1), depth=10, widen=1, seed=2)
    x = tf.random.stateless_normal([2, 8, 12, 1], (0, 1))
    mean, log_scale = encoder(x)
    assert mean.shape == log_scale.shape == (2, 3)
    names = []

    def drop(values, name):
        names.append((name, values.shape[1:]))
        return 0.0 * values
    assert np.any(encoder(x, drop=drop)[0] != mean)
    assert [shape for _, shape in names] == [(8, 12, 16), (8, 12, 32),
                                             (4, 6, 64)]
    alone = encoder(x[:1])[0]
    np.testing.assert_allclose(alone, mean[:1], rtol=1e-5)


@pytest.mark.parametrize("arguments, message", [
    ({"depth": 12}, "10, 16, 22, 28"), ({"widen": 0}, "widen must be >= 1"),
    ({"dropout": 1.0}, r"\[0, 1\)"),
    ({"image_shape": (30, 32, 3)}, "multiples of 4, got images of 30x32")])
def test_wide_residual_networks_that_are_none_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        WideResidualEncoder(**{"latent_dim": 3, "image_shape": (8, 8, 3),
                               **arguments})


def test_a_bounded_energy_stays_within_its_bound_and_is_the_same_near_0():
    plain, bounded = EnergyMLP(3, (4,)), EnergyMLP(3, (4,), bound=0.5)
    bounded.set_weights(plain.get_weights())
    z = tf.constant(np.random.default_rng(0).normal(size=[50, 3]), tf.float32)
    np.testing.assert_allclose(
        bounded(z), 0.5 * np.tanh(plain(z) / 0.5), rtol=1e-5)
    assert np.max(np.abs(bounded(1e6 * z))) <= 0.5
    with pytest.raises(ValueError, match="bound must be >= 0, got -1"):
        EnergyMLP(3, (4,), bound=-1)
