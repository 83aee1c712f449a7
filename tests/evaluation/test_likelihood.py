"""Tests of likelihood estimates against models with a known evidence."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import EnergyPrior, StandardNormal
from lebm_tf.evaluation.latents import annealing, likelihood
from lebm_tf.families import DataSpec, image
from lebm_tf.mcmc import Hmc, Langevin, Mala, rng
from tests.oracles import LinearGenerator, raises

CENTRE = np.array([1.0, -0.5, 0.3])
MATRIX = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.7]])
WEIGHT = np.array([[1.0, 0.2, -0.4, 0.1, 0.0], [0.3, -0.8, 0.5, 0.0, 0.6],
                   [0.0, 0.4, 0.9, -0.7, 0.2]])
BIAS = np.array([0.1, 0.0, -0.2, 0.3, 0.0])
SCALE = 0.3
# p(z) is Gaussian: precision I + A, mean (I + A)^-1 A m.
PRECISION = np.eye(3) + MATRIX
MEAN = np.linalg.solve(PRECISION, MATRIX @ CENTRE)
LOG_Z = 0.5 * (MEAN @ PRECISION @ MEAN - CENTRE @ MATRIX @ CENTRE
               - np.linalg.slogdet(PRECISION)[1])


class Quadratic(keras.layers.Layer):
    """E(z) = (z - m)^T A (z - m) / 2."""

    def call(self, z):
        error = z - CENTRE.astype(np.float32)
        return 0.5 * tf.reduce_sum(
            error * tf.matmul(error, MATRIX.astype(np.float32)), -1)


@pytest.fixture(scope="module")
def model():
    return image.build(
        image.ImageConfig(latent_dim=3, likelihood_scale=SCALE),
        DataSpec((5,), 100, kind="vector"), energy=Quadratic(),
        generator=LinearGenerator(WEIGHT, BIAS))


def evidence(x):
    """log p(x) of x = z W + b + scale e."""
    covariance = (WEIGHT.T @ np.linalg.solve(PRECISION, WEIGHT)
                  + SCALE**2 * np.eye(5))
    error = x - MEAN @ WEIGHT - BIAS
    return -0.5 * (np.einsum("bi,ij,bj->b", error,
                             np.linalg.inv(covariance), error)
                   + np.linalg.slogdet(2 * np.pi * covariance)[1])


def test_log_z_of_a_quadratic_energy_is_the_closed_form(model):
    kernel = annealing.hmc(0.5)
    log_z, annealed = annealing.log_normalizer(
        model.prior, kernel, 60, 400, rng.make_seed(1))
    assert log_z.standard_error < 0.03
    assert abs(log_z.value - LOG_Z) < 5 * log_z.standard_error
    assert log_z.effective_sample_size > 200
    assert 0.6 < annealed.accept_prob <= 1.0
    again, _ = annealing.log_normalizer(
        model.prior, kernel, 60, 400, rng.make_seed(1))
    assert again == log_z
    # The chains end as draws of the prior.
    error = np.linalg.inv(PRECISION).diagonal()**0.5 / 20
    assert (abs(annealed.position.mean(0) - MEAN) < 5 * error).all()


def test_the_reverse_encloses_log_z(model, numbers):
    samples = numbers.multivariate_normal(
        MEAN, np.linalg.inv(PRECISION), 400).astype(np.float32)
    reverse = annealing.reverse_log_normalizer(
        model.prior, Mala(0.5), 60, tf.constant(samples), rng.make_seed(2))
    assert reverse.standard_error < 0.05
    assert abs(reverse.value - LOG_Z) < 5 * reverse.standard_error


def test_evidence_of_a_linear_model_is_the_closed_form(model, numbers):
    """12 pictures, so that the last batch is filled up."""
    z = numbers.multivariate_normal(MEAN, np.linalg.inv(PRECISION), 12)
    x = z @ WEIGHT + BIAS + SCALE * numbers.normal(size=(12, 5))
    estimate, accept_prob = likelihood.log_marginal(
        model, x.astype(np.float32),
        likelihood.posterior_proposals(model, 500), 400, rng.make_seed(3))
    assert estimate.value.shape == (12,) and accept_prob > 0.5
    assert (estimate.standard_error < 0.1).all()
    assert (abs(estimate.value - LOG_Z - evidence(x))
            < 5 * estimate.standard_error).all()
    # Wider by 1 + 3^(-1/2): a Gaussian keeps about e^(-1/2) of the draws.
    assert estimate.effective_sample_size.mean() > 400 * 0.6


def test_the_proposal_has_the_moments_of_the_draws(numbers):
    root = numbers.normal(size=(4, 4))
    z = numbers.normal(size=(2, 4000, 4)) @ root.T + 3.0
    proposal = likelihood.fit_proposal(z)
    covariance = (proposal.root @ proposal.root.swapaxes(-1, -2)) / 1.5
    np.testing.assert_allclose(proposal.mean, 3.0, atol=0.3)
    np.testing.assert_allclose(
        covariance[1], np.cov(z[1].T) * (1 - 4 / 4004 * (1 - np.eye(4))),
        rtol=1e-10)


def test_fewer_draws_than_dimensions_give_a_proposal(numbers):
    proposal = likelihood.fit_proposal(numbers.normal(size=(1, 3, 20)))
    assert np.isfinite(proposal.root).all()


def test_the_mean_of_weights_is_taken_without_overflow():
    estimate = annealing.log_mean_exp(
        np.array([[1000.0, 1000.0], [-1000.0, -np.inf]]))
    np.testing.assert_allclose(
        estimate.value, [1000.0, -1000.0 - math.log(2.0)])
    np.testing.assert_allclose(estimate.effective_sample_size, [2.0, 1.0])
    np.testing.assert_allclose(estimate.standard_error, [0.0, 1.0])


@pytest.mark.parametrize("kernel, got", [
    (Langevin(0.1), "a likelihood estimate needs a calibrated kernel, got "
     "Langevin."),
    (Hmc(0.1, num_adaptation_steps=5), "a likelihood estimate needs a kernel "
     "with num_adaptation_steps 0, got 5.")])
def test_an_uncalibrated_kernel_is_refused(kernel, got, model):
    with raises(ValueError, got):
        annealing.log_normalizer(model.prior, kernel, 2, 2, rng.make_seed(0))


def test_tuning_finds_a_step_that_is_accepted():
    def target(z):
        return -0.5 * tf.reduce_sum(tf.square(z / 0.05), -1)
    start = 0.05 * rng.normal([50, 2], rng.make_seed(0))
    kernel = annealing.tuned(Mala, target, start, rng.make_seed(1))
    assert 2**-7 < kernel.step_size <= 2**-4


def test_a_target_without_any_step_is_refused():
    with pytest.raises(ValueError, match="a step size with acceptance"):
        annealing.tuned(
            Mala, lambda z: -1e12 * tf.reduce_sum(tf.square(z), -1),
            tf.zeros([4, 2]), rng.make_seed(0))


def test_an_energy_of_zero_has_log_z_zero():
    class Zero(keras.layers.Layer):
        def call(self, z):
            return tf.zeros_like(z[:, 0])
    prior = EnergyPrior(StandardNormal(2), Zero())
    log_z, _ = annealing.log_normalizer(
        prior, annealing.hmc(0.5), 3, 4, rng.make_seed(0))
    assert (log_z.value, log_z.standard_error) == (0.0, 0.0)
