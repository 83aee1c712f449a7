"""Targets, and chains on targets whose answer is a linear Gaussian one."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import (
    EnergyPrior, GaussianLikelihood, StandardNormal, Target, log_normal,
    posterior_target, prior_target, tempered)
from lebm_tf.mcmc import Langevin, Mala, rng, run_chain
from tests import oracles

SEED = rng.make_seed(4)
WEIGHT = np.array([[1.0, -0.5, 0.3], [0.2, 0.8, -1.0]])
BIAS = np.array([0.5, -0.2, 0.1])
X = np.array([1.2, -0.4, 0.9])
SCALE, FACTOR, CHAINS = 0.8, 1.5, 20_000


def model(factor):
    base = StandardNormal(2)
    prior = EnergyPrior(base, oracles.QuadraticEnergy(factor)) \
        if factor else base
    return prior, GaussianLikelihood(
        oracles.LinearGenerator(WEIGHT, BIAS), SCALE)


def posterior_chain(kernel, factor, num_steps, start):
    prior, likelihood = model(factor)
    target = posterior_target(
        prior, likelihood, tf.constant(np.tile(X, [CHAINS, 1]), tf.float32))
    return tf.function(lambda: run_chain(
        kernel, target, tf.constant(start), num_steps, SEED))().position


@pytest.mark.parametrize("factor", [0.0, FACTOR], ids=["base", "energy"])
def test_an_exact_chain_keeps_the_conjugate_posterior(factor):
    posterior = oracles.linear_posterior(
        WEIGHT, BIAS, X, SCALE, 1.0 + factor)
    end = posterior_chain(
        Mala(0.7), factor, 10, posterior.sample(CHAINS, seed=1))
    oracles.assert_moments(end, posterior.mean, posterior.covariance)


@pytest.mark.parametrize("factor", [0.0, FACTOR], ids=["base", "energy"])
def test_an_exact_chain_finds_the_conjugate_posterior(factor):
    posterior = oracles.linear_posterior(
        WEIGHT, BIAS, X, SCALE, 1.0 + factor)
    end = posterior_chain(
        Mala(0.8), factor, 60, 3.0 * rng.normal([CHAINS, 2], SEED).numpy())
    oracles.assert_moments(end, posterior.mean, posterior.covariance)


@pytest.mark.parametrize("factor", [0.0, FACTOR], ids=["base", "energy"])
def test_a_short_run_follows_its_law_on_the_conjugate_posterior(factor):
    posterior = oracles.linear_posterior(
        WEIGHT, BIAS, X, SCALE, 1.0 + factor)
    base = oracles.Gaussian(np.zeros(2), np.eye(2))
    law = oracles.langevin_law(posterior, base, 0.4, 5)
    end = posterior_chain(
        Langevin(0.4), factor, 5, rng.normal([CHAINS, 2], SEED).numpy())
    oracles.assert_moments(end, law.mean, law.covariance)


def test_a_prior_chain_finds_the_tilted_base():
    prior, _ = model(FACTOR)
    end = tf.function(lambda: run_chain(
        Mala(0.6), prior_target(prior), rng.normal([CHAINS, 2], SEED), 40,
        SEED))().position
    oracles.assert_moments(end, np.zeros(2), np.eye(2) / (1 + FACTOR))


def test_a_target_sums_base_energy_and_likelihood():
    prior, likelihood = model(FACTOR)
    z = tf.constant([[0.3, -1.0], [1.5, 0.2]])
    x = tf.constant(np.tile(X, [2, 1]), tf.float32)
    base = -0.5 * np.sum(np.square(z), -1) - np.log(2 * np.pi)
    energy = 0.5 * FACTOR * np.sum(np.square(z), -1)
    error = np.sum((X - z @ WEIGHT.astype(np.float32) - BIAS)**2, -1)
    fit = (-0.5 * error / SCALE**2
           - 3 * np.log(SCALE * np.sqrt(2 * np.pi)))
    np.testing.assert_allclose(prior.energy(z), energy, rtol=1e-5)
    np.testing.assert_allclose(
        prior_target(prior)(z), base - energy, rtol=1e-5)
    np.testing.assert_allclose(
        prior_target(prior.base)(z), base, rtol=1e-5)
    np.testing.assert_allclose(
        posterior_target(prior, likelihood, x)(z), base - energy + fit,
        rtol=1e-5)


def test_a_condition_reaches_the_energy():
    prior, likelihood = model(FACTOR)
    z, c = tf.constant([[0.3, -1.0]]), tf.constant([[1.0, 1.0]])
    x = tf.constant(X[None], tf.float32)
    expected = 0.5 * FACTOR * (0.7**2 + 2.0**2)
    np.testing.assert_allclose(
        prior.energy(z, condition=c), [expected], rtol=1e-5)
    free = prior.base.log_prob(z)
    np.testing.assert_allclose(
        prior_target(prior, c)(z), free - expected, rtol=1e-5)
    np.testing.assert_allclose(
        posterior_target(prior, likelihood, x, c)(z),
        free - expected + likelihood.log_prob(x, z), rtol=1e-5)


def test_a_temperature_divides_the_target():
    hot = tempered(Target(lambda z, rows: oracles.standard_normal(z)), 2.0)
    np.testing.assert_allclose(hot(tf.constant([[2.0]])), [-1.0])


def test_a_normal_density_broadcasts_and_sums_over_all_but_the_first_axis():
    z = tf.constant(np.arange(12.0).reshape(2, 3, 2), tf.float32)
    expected = np.sum(
        -0.5 * ((z - 1.0) / 2.0)**2 - np.log(2.0 * np.sqrt(2 * np.pi)),
        axis=(1, 2))
    np.testing.assert_allclose(
        log_normal(z, 1.0, np.log(2.0)), expected, rtol=1e-5)
    np.testing.assert_allclose(
        log_normal(z), np.sum(-0.5 * z**2 - 0.5 * np.log(2 * np.pi),
                              axis=(1, 2)), rtol=1e-5)


def test_the_parts_of_a_likelihood_agree():
    _, likelihood = model(0.0)
    z, x = tf.constant([[0.3, -1.0]]), tf.constant(X[None], tf.float32)
    error = likelihood.squared_error(x, z)
    np.testing.assert_allclose(
        likelihood.log_prob_of_error(error, x), likelihood.log_prob(x, z))


@pytest.mark.parametrize("temperature", [2.0, tf.constant([1.0, 2.0, 4.0])])
def test_a_part_of_the_chains_has_its_part_of_the_target(temperature):
    prior = EnergyPrior(StandardNormal(2), lambda z, condition: tf.reduce_sum(
        tf.square(z - condition), -1))
    z, x, condition = (rng.normal([3, 2], rng.make_seed(i)) for i in range(3))
    target = tempered(posterior_target(
        prior, GaussianLikelihood(
            lambda z, condition: z + condition, 0.5, is_conditional=True), x,
        condition),
        temperature)
    whole = target(z)
    for i in range(3):
        rows = tf.nest.map_structure(lambda leaf: leaf[i:i + 1], target.rows)
        np.testing.assert_allclose(
            target.log_prob(z[i:i + 1], rows), whole[i:i + 1], rtol=1e-6)
