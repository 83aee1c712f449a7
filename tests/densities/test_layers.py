"""Encoders and bases of several layers, against Gaussians that they are."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from lebm_tf.densities import (
    BottomUpGaussian, EnergyPrior, GaussianLikelihood, LayeredNormal,
    TopDownGaussian)
from lebm_tf.mcmc import rng
from lebm_tf.models import EnergyModel, OptimizerConfig
from lebm_tf.networks import FirstLayer, LayerEnergies, VectorMLP
from lebm_tf.objectives import Objective, kl_to_prior, negative_log_likelihood
from lebm_tf.samplers import Encoded
from tests import oracles

tfd = tfp.distributions
X = tf.constant(np.random.default_rng(0).normal(size=[5, 4]), tf.float32)
FLOOR = 0.1


def gaussians(source, *targets, seed=0):
    return [VectorMLP(below, above, (6,), num_outputs=2, seed=seed + i)
            for i, (below, above) in enumerate(zip((source, *targets),
                                                   targets))]


def make_encoder():
    first, second = gaussians(4, 3, 2, seed=10)
    return BottomUpGaussian(first, [second], FLOOR)


def normal(network, given, floor=FLOOR):
    mean, h = network(given)
    return tfd.MultivariateNormalDiag(mean, tf.exp(h) + floor)


def test_layers_without_ties_are_one_normal():
    base = LayeredNormal([3, (2, 2, 1)])
    z = base.sample(20_000, rng.make_seed(1))
    assert [leaf.shape for leaf in z] == [(20_000, 3), (20_000, 2, 2, 1)]
    flat = np.concatenate([np.reshape(leaf, [20_000, -1]) for leaf in z], 1)
    oracles.assert_moments(flat, np.zeros(7), np.eye(7))
    np.testing.assert_allclose(
        base.log_prob(z)[:6], tfd.MultivariateNormalDiag(
            tf.zeros(7)).log_prob(flat[:6]), rtol=1e-5)


def test_an_encoder_from_the_data_up_is_a_chain_of_gaussians():
    encoder, rows = make_encoder(), tf.tile(X[:1], [20_000, 1])
    z = encoder.sample(rows, rng.make_seed(2))
    first = normal(encoder.network, X[:1])
    oracles.assert_moments(
        z[0].numpy(), first.mean()[0], np.diag(first.stddev()[0]**2))
    second = normal(encoder.networks[0], z[0])
    whitened = (z[1] - second.mean()) / second.stddev()
    oracles.assert_moments(whitened.numpy(), np.zeros(2), np.eye(2))
    few = tuple(leaf[:5] for leaf in z)
    np.testing.assert_allclose(
        encoder.log_prob(few, tf.tile(X[:1], [5, 1])),
        first.log_prob(few[0]) + normal(
            encoder.networks[0], few[0]).log_prob(few[1]), rtol=1e-4)


def test_without_an_energy_the_bound_is_that_of_a_vae_of_two_layers():
    """And its gradient: -log p(x | z1) - log p(z1 | z2) - log p(z2)
    + log q(z1 | x) + log q(z2 | z1) of one draw, written out."""
    encoder = make_encoder()
    down, = gaussians(2, 3, seed=20)
    base = TopDownGaussian([down], 2, scale_floor=FLOOR)
    zero = VectorMLP(3, 1, ()), VectorMLP(2, 1, ())
    for network in zero:
        network.head.set_weights([0 * w for w in network.head.get_weights()])
    prior = EnergyPrior(base, LayerEnergies([
        Squeezed(network) for network in zero]))
    likelihood = GaussianLikelihood(FirstLayer(VectorMLP(3, 4, (5,))), 0.3)
    model = EnergyModel(
        prior=prior, likelihood=likelihood, encoder=encoder,
        parts={"generator": likelihood, "encoder": encoder},
        objectives={"bound": Objective(("generator", "encoder"), {
            "reconstruction": negative_log_likelihood, "kl": kl_to_prior})},
        roles={"positive": Encoded(encoder)})
    model.compile({part: OptimizerConfig().make(1) for part in model.parts})
    variables = likelihood.trainable_variables + encoder.trainable_variables
    with tf.GradientTape() as tape:
        draws = model.draw({"x": X}, rng.make_seed(3), tape)
        bound, _ = model.objectives["bound"](model, draws)
    found = tape.gradient(bound, variables)
    seed = rng.stream(rng.stream(rng.make_seed(3), "positive"), "start")
    noise = [rng.normal([5, width], rng.stream(seed, name))
             for name, width in (("z1", 3), ("z2", 2))]
    with tf.GradientTape() as tape:
        q1 = normal(encoder.network, X)
        z1 = q1.mean() + q1.stddev() * noise[0]
        q2 = normal(encoder.networks[0], z1)
        z2 = q2.mean() + q2.stddev() * noise[1]
        decoded = tfd.MultivariateNormalDiag(
            likelihood.generator((z1, z2)), tf.fill([4], 0.3))
        negative = tf.reduce_mean(
            -decoded.log_prob(X) - normal(down, z2).log_prob(z1)
            - tfd.MultivariateNormalDiag(tf.zeros(2)).log_prob(z2)
            + q1.log_prob(z1) + q2.log_prob(z2))
    np.testing.assert_allclose(bound, negative, rtol=1e-5)
    for a, b in zip(found, tape.gradient(negative, variables), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


class Squeezed(tf.keras.layers.Layer):
    """[batch] of a network with one output."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def call(self, z):
        return self.network(z)[:, 0]


@pytest.mark.parametrize("make, message", [
    (lambda: LayeredNormal([]),
     "shapes must hold at least one shape of numbers >= 1, got ()."),
    (lambda: LayeredNormal([3, 0]),
     "shapes must hold at least one shape of numbers >= 1, got ((3,), (0,))."),
    (lambda: BottomUpGaussian(None, [], 0.0),
     "scale_floor must be > 0, got 0.0.")])
def test_a_bad_value_is_refused_with_its_message(make, message):
    with oracles.raises(ValueError, message):
        make()
