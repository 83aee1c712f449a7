"""Maps between latents and observations: inverses, volumes, laws."""

import math

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import precision
from lebm_tf.densities import (
    ConditionalGaussian, FlowTransport, GeneratorTransport, PointEncoder,
    StandardNormal, TransportedEnergy)
from lebm_tf.mcmc import rng
from lebm_tf.networks import AffineCouplings, ConvEnergy, PictureGlow
from tests import oracles

SEED = rng.make_seed(4)
PICTURES = (4, 4, 1)


def shaken(network, scale=0.2):
    """The network with weights that are not the first ones."""
    random = np.random.default_rng(0)
    network.set_weights([w + random.normal(scale=scale, size=w.shape)
                         for w in network.get_weights()])
    return network


def flow(kind="glow", **kwargs):
    if kind == "vectors":
        return FlowTransport(shaken(AffineCouplings(4, 3, (5,))), (4,))
    network = PictureGlow(PICTURES, 2, 2, 4) if kind == "glow" else (
        AffineCouplings(16, 3, (5,)))
    return FlowTransport(
        shaken(network), PICTURES, **{"num_levels": 5, **kwargs})


def pictures(num=3):
    return tf.constant(np.random.default_rng(1).integers(
        0, 5, [num, *PICTURES]) / 2.0 - 1.0, tf.float32)


def volume(transport, z):
    """log |det dx/dz| of every row, by the whole matrix; x in its unit."""
    with tf.GradientTape() as tape:
        tape.watch(z)
        x = tf.reshape(transport.forward(z)[0], [len(z), -1])
        if len(transport.shape) == 3:
            x = x * 0.5 * (transport.num_levels - 1)
    matrices = tape.batch_jacobian(x, z)
    return np.linalg.slogdet(matrices.numpy().astype(np.float64))[1]


@pytest.mark.parametrize("kind", ["glow", "couplings", "vectors"])
def test_the_inverse_undoes_and_volumes_are_those_of_the_whole_matrix(kind):
    transport = flow(kind)
    z = tf.constant(np.random.default_rng(2).normal(
        size=[3, transport.latent_dim]), tf.float32)
    x, growth = transport.forward(z)
    assert x.shape == (3, *transport.shape)
    np.testing.assert_allclose(
        transport.network.inverse(transport.network(z)[0])[0], z, atol=1e-4)
    np.testing.assert_allclose(growth, volume(transport, z), atol=1e-2)
    np.testing.assert_allclose(
        transport.network(z)[1], -transport.network.inverse(
            transport.network(z)[0])[1], atol=1e-4)


def test_a_pixel_comes_back_within_half_a_level():
    transport, x = flow(), pictures()
    again = transport.mean(transport.inverse(x, SEED))
    assert np.abs(again - x).max() <= 0.25 + 1e-4  # Levels are 0.5 apart.
    np.testing.assert_array_equal(tf.round(2.0 * again), 2.0 * x)


@pytest.mark.parametrize("kind", ["glow", "vectors"])
def test_both_ways_to_the_density_agree(kind):
    """log q(x) from x, and log N(z) - log |dx/dz| from its z."""
    transport = flow(kind)
    x = pictures() if kind == "glow" else tf.ones([3, 4])
    z = transport.inverse(x, SEED)
    np.testing.assert_allclose(
        transport.log_density(x, SEED),
        StandardNormal(transport.latent_dim).log_prob(z)
        + transport.log_prob(x, z), rtol=1e-4, atol=1e-3)


def test_bits_of_pixels_that_are_uniform():
    """An identity between logits has a density in closed form: E over noise
    of -log q is the mean of -log N(y) - log |dy/dx|."""
    transport = FlowTransport(AffineCouplings(2, 2, (3,)), (2, 1, 1), 4)
    x = tf.zeros([20_000, 2, 1, 1]) - 1.0  # The lowest of four levels.
    found = -np.mean(transport.log_density(x, SEED))
    u = (np.arange(100_000) + 0.5) / 100_000
    part = 0.05 + 0.9 * u / 4
    y = np.log(part / (1 - part))
    one = np.mean(0.5 * y**2 + 0.5 * math.log(2 * math.pi)
                  - math.log(0.9 / 4) + np.log(part * (1 - part)))
    assert found == pytest.approx(2 * one, abs=0.02)


def test_mean_and_scale_of_data_are_taken_once():
    class Data:
        x_train = np.random.default_rng(0).integers(0, 5, [50, *PICTURES])

        @staticmethod
        def to_model(x):
            return tf.cast(x, tf.float32) / 2.0 - 1.0
    transport = flow()
    transport.adapt(Data)
    y = transport._logits(Data.to_model(Data.x_train), rng.make_seed(0))
    np.testing.assert_allclose(transport.center, np.mean(y, 0), rtol=1e-4)
    np.testing.assert_allclose(
        transport.scale, np.std(y, 0) + 1e-3, rtol=1e-4)
    before = transport.scale.numpy()
    Data.x_train = Data.x_train[:9]
    transport.adapt(Data)
    np.testing.assert_array_equal(transport.scale, before)
    z = transport.inverse(pictures(), SEED)
    np.testing.assert_array_equal(
        tf.round(2.0 * transport.mean(z)), 2.0 * pictures())


def generator():
    encoder = ConditionalGaussian(oracles.LinearEncoder(4, 3))
    return GeneratorTransport(oracles.LinearGenerator(
        np.ones((3, 4)), np.zeros(4)), encoder, (4,), 3, 0.5)


def test_a_generator_with_its_noise_tells_all_of_x():
    transport = generator()
    x = tf.constant(np.random.default_rng(0).normal(size=[3, 4]), tf.float32)
    z = transport.inverse(x, SEED)
    assert z.shape == (3, 7)
    again, growth = transport.forward(z)
    np.testing.assert_allclose(again, x, atol=1e-5)
    np.testing.assert_allclose(growth, 4 * math.log(0.5), rtol=1e-6)


def test_the_bound_of_a_generator_lies_below_its_density():
    """x is N(0, 3 + 0.25 I) with ones in the first matrix."""
    transport = generator()
    x = tf.zeros([2000, 4])
    covariance = 3.0 * np.ones((4, 4)) + 0.25 * np.eye(4)
    exact = -0.5 * np.linalg.slogdet(2 * math.pi * covariance)[1]
    bounds = transport.log_density(x, SEED)
    assert np.mean(bounds) < exact
    assert np.log(np.mean(np.exp(np.asarray(bounds, np.float64)))
                  ) == pytest.approx(exact, abs=0.2)


def test_an_encoder_without_a_density_gives_no_bound():
    transport = GeneratorTransport(
        oracles.LinearGenerator(np.ones((3, 4)), np.zeros(4)), PointEncoder(
            oracles.LinearEncoder(4, 3)), (4,), 3, 0.5)
    with oracles.raises(ValueError, "a bound of log q(x) needs an encoder with"
                        " a density, got PointEncoder."):
        transport.log_density(tf.zeros([1, 4]), SEED)


def test_an_energy_begins_at_zero_and_is_that_of_x():
    energy = ConvEnergy(PICTURES, (4,), 6)
    transport = flow()
    pulled = TransportedEnergy(energy, transport)
    z = transport.inverse(pictures(), SEED)
    np.testing.assert_array_equal(pulled(z), [0.0] * 3)
    shaken(energy)
    np.testing.assert_allclose(pulled(z), energy(transport.forward(z)[0]))
    bounded = shaken(ConvEnergy(PICTURES, (4,), 6, bound=0.01), 3.0)
    assert np.abs(bounded(pictures())).max() <= 0.01


def test_half_precision_leaves_a_flow_invertible():
    with precision.scope("mixed_bfloat16"):
        transport = flow()
    z = tf.constant(np.random.default_rng(2).normal(size=[3, 16]), tf.float32)
    y, growth = transport.network(z)
    assert y.dtype == growth.dtype == tf.float32
    np.testing.assert_allclose(
        transport.network.inverse(y)[0], z, atol=1e-4)


@pytest.mark.parametrize("shape", [(7, 8, 1), (4, 6, 1)])
def test_pictures_that_cannot_be_halved_are_refused(shape):
    with oracles.raises(
            ValueError, "a flow of 2 levels needs image sides that are "
            "multiples of 4, got "
            f"{shape[0]}x{shape[1]}."):
        PictureGlow(shape, 2)


@pytest.mark.parametrize("make,message", [
    (lambda: PictureGlow((4,)), "a convolutional flow needs images, got "
     "shape (4,)."),
    (lambda: PictureGlow(PICTURES, 0), "num_levels, num_steps and channels "
     "must be >= 1 and bound > 0, got 0, 4, 64 and 2.0."),
    (lambda: FlowTransport(AffineCouplings(4), PICTURES, 5),
     "the flow must have dimension 16, got 4."),
    (lambda: flow(num_levels=1), "num_levels must be >= 2 for images and 0 "
     "for vectors, got 1."),
    (lambda: flow(margin=0.5), "margin must lie in [0, 0.5), got 0.5."),
    (lambda: GeneratorTransport(None, None, (4,), 3, 0.0), "generator_dim must"
     " be >= 1 and noise_scale > 0, got 3 and 0.0."),
    (lambda: flow().read(np.full([1, *PICTURES], 1.5, np.float32)),
     "pixels must lie in [-1, 1] to be dequantized, got values from 1.5 to "
     "1.5."),
    (lambda: flow().read(np.full([1, *PICTURES], np.nan, np.float32)),
     "pixels must lie in [-1, 1] to be dequantized, got values from nan to "
     "nan."),
    (lambda: flow().read(np.zeros([1, *PICTURES], np.uint8)),
     "x must be floats, as in training (for images: data.to_model(x), in "
     "[-1, 1]), got uint8.")])
def test_bad_input_is_refused_with_its_message(make, message):
    with oracles.raises(ValueError, message):
        make()
