"""Learned samplers against closed forms: quadratic energies, linear maps.

p(z) = N(b / (1 + a), I / (1 + a)) for E(z) = a |z|^2 / 2 - b z and p0 =
N(0, I), with log Z = |b|^2 / (2 (1 + a)) - (d / 2) log(1 + a).
"""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import (
    ConditionalGaussian, EnergyPrior, GaussianLikelihood, LearnedFlow,
    StandardNormal, log_normal)
from lebm_tf.evaluation.latents.sampler import SamplerEvaluator
from lebm_tf.mcmc import rng
from lebm_tf.objectives import (
    FlowDivergence, gaussian_kl, kl_to_prior, negative_log_likelihood)
from lebm_tf.samplers import Draws, Encoded, Flowed
from tests import oracles

D, A, B = 3, 0.7, np.array([0.4, -1.0, 0.2])
WEIGHT = np.array([[1.0, -0.5], [0.2, 0.8], [0.5, 0.1]])
SCALE = 0.6
LOG_Z = B @ B / (2 * (1 + A)) - D / 2 * math.log(1 + A)


@pytest.fixture(autouse=True)
def double_precision(float64):
    pass


class Tilted(keras.layers.Layer):
    """E(z) = a |z|^2 / 2 - b z."""

    def __init__(self, a=A, b=B, **kwargs):
        super().__init__(**kwargs)
        self.a, self.b, self.built = a, tf.constant(b), True

    def call(self, z):
        return (0.5 * self.a * tf.reduce_sum(tf.square(z), -1)
                - tf.reduce_sum(self.b * z, -1))


class Affine(keras.layers.Layer):
    """u -> mu + s u, and back."""

    dim = D

    def __init__(self, mean, scale, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.scale = tf.constant(mean), tf.constant(scale)
        self.built = True

    def call(self, u):
        growth = tf.reduce_sum(tf.math.log(self.scale))
        return self.mean + self.scale * u, growth + 0.0 * u[:, 0]

    def inverse(self, z):
        growth = tf.reduce_sum(tf.math.log(self.scale))
        return (z - self.mean) / self.scale, 0.0 * z[:, 0] - growth


class Posterior(keras.layers.Layer):
    """q(z | x) = p(z | x), but for correlations if `diagonal`."""

    def __init__(self, a=A, b=B, weight=WEIGHT, **kwargs):
        super().__init__(**kwargs)
        self.law = lambda x: oracles.linear_posterior(
            weight, 0.0, x, SCALE, 1 + a)
        self.shift = np.linalg.inv((1 + a) * np.eye(D) + weight @ weight.T
                                   / SCALE**2) @ b
        self.built = True

    def call(self, x):
        laws = [self.law(row) for row in np.asarray(x)]
        mean = np.stack([law.mean for law in laws]) + self.shift
        scale = np.stack([np.sqrt(np.diag(law.covariance)) for law in laws])
        return tf.constant(mean), tf.constant(np.log(scale))


class Model:
    """What terms look at."""

    def __init__(self, energy, network=None, weight=WEIGHT):
        self.base = StandardNormal(D)
        self.prior = EnergyPrior(self.base, energy)
        self.likelihood = GaussianLikelihood(
            oracles.LinearGenerator(weight, np.zeros(weight.shape[1])), SCALE)
        self.encoder = network and ConditionalGaussian(network)


def flow_loss(mean, scale, count=200_000):
    sampler = Flowed(LearnedFlow(Affine(mean, scale)))
    draws = Draws({"x": tf.zeros([count, 1])})
    drawn = sampler.draw(None, count, draws, rng.make_seed(3))
    value = FlowDivergence("negative")(
        Model(Tilted()), draws.with_states(negative=drawn))
    return float(value)


def closed_flow_loss(mean, scale):
    """Of the card: with p0 normalized, its constant is left."""
    return float(np.sum(
        -np.log(scale) + (1 + A) * (scale**2 + mean**2) / 2 - B * mean)
        - D / 2)


@pytest.mark.parametrize("mean, scale", [
    ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]), ([0.3, -0.2, 1.0], [0.5, 1.5, 0.8])])
def test_an_affine_flow_has_its_closed_divergence(mean, scale):
    mean, scale = np.array(mean), np.array(scale)
    assert flow_loss(mean, scale) == pytest.approx(
        closed_flow_loss(mean, scale), abs=0.05)


def test_the_best_flow_has_minus_log_z_whatever_is_drawn():
    """Then log q - log p does not depend on z: no Monte Carlo error."""
    best = B / (1 + A), np.full(D, (1 + A)**-0.5)
    assert flow_loss(*best, count=3) == pytest.approx(-LOG_Z, abs=1e-10)
    assert closed_flow_loss(*best) == pytest.approx(-LOG_Z, abs=1e-12)


def encoder_loss(model, x, seed=1):
    draws = Draws({"x": tf.constant(x)}, seed=rng.make_seed(seed))
    drawn = Encoded(model.encoder).draw(None, len(x), draws,
                                        rng.make_seed(seed))
    draws = draws.with_states(positive=drawn)
    return (float(negative_log_likelihood(model, draws)
                  + kl_to_prior(model, draws)), draws)


def test_both_losses_at_their_best_are_the_likelihood():
    """loss 1 - psi loss = -log p(x), exactly, where q(z | x) can be p(z | x):
    here x = 1.3 z + noise, number by number."""
    weight = 1.3 * np.eye(D)
    model = Model(Tilted(), Posterior(weight=weight), weight)
    x = np.random.default_rng(0).normal(size=[5, D])
    loss, _ = encoder_loss(model, x)
    variance = 1.3**2 / (1 + A) + SCALE**2
    exact = log_normal(tf.constant(x), tf.constant(1.3 * B / (1 + A)),
                       tf.constant(0.5 * math.log(variance), tf.float64))
    assert loss - (-LOG_Z) == pytest.approx(
        -float(tf.reduce_mean(exact)), rel=1e-9)


def test_without_an_energy_it_is_the_bound_of_a_variational_autoencoder():
    flat = Model(Tilted(0.0, np.zeros(D)), Posterior())
    x = np.tile(np.random.default_rng(1).normal(size=[1, 2]), [100_000, 1])
    loss, draws = encoder_loss(flat, x[:2000])
    bound = negative_log_likelihood(flat, draws) + gaussian_kl(flat, draws)
    # One draw of the KL against its closed form.
    assert loss == pytest.approx(float(bound), abs=0.2)


def test_the_evaluator_finds_the_divergence_of_a_flow(monkeypatch):
    class Answering(Model):
        parts = {"flow": (LearnedFlow(Affine(
            np.array([0.3, -0.2, 1.0]), np.array([0.5, 1.5, 0.8]))),)}

        def sample(self, count, seed):
            z = self.base.sample(count, rng.make_seed(seed))
            return type("Samples", (), {"z": z / (1 + A)**0.5 + B / (1 + A)})

    class Context:
        class config:
            seed = 1
    found = dict(SamplerEvaluator(
        num_samples=20_000, num_annealing_steps=100,
        num_annealing_chains=100)(Answering(Tilted()), Context))
    exact = closed_flow_loss(np.array([0.3, -0.2, 1.0]),
                             np.array([0.5, 1.5, 0.8])) + LOG_Z
    assert found["sampler/log_z"] == pytest.approx(LOG_Z, abs=0.1)
    assert found["sampler/kl"] == pytest.approx(
        exact, abs=5 * found["sampler/kl_standard_error"])
    assert 0 < found["sampler/effective_share"] < 1
