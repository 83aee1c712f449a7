"""The Langevin kernel against the laws it must follow."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.mcmc import Langevin, rng, run_chain, value_and_gradient
from tests import oracles

SEED = rng.make_seed(3)


@hypothesis.given(step_size=st.floats(0.1, 1.5))
def test_stationary_variance_matches_closed_form(step_size):
    """On N(0, 1) the chain is AR(1) with variance 1 / (1 - s^2/4): above 1,
    so the test also pins the bias that the docstring admits."""
    variance, chains = 1.0 / (1.0 - step_size**2 / 4.0), 50_000
    start = variance**0.5 * rng.normal([chains, 1], rng.make_seed(1))
    end = run_chain(
        Langevin(step_size), oracles.standard_normal, start, 3, SEED)
    error = variance * (2.0 / chains)**0.5  # Standard error of a variance.
    assert np.var(end.position) == pytest.approx(variance, abs=5 * error)


@pytest.mark.parametrize("noise_scale", [1.0, 0.5])
def test_a_short_run_has_the_mean_and_covariance_of_its_recursion(noise_scale):
    start = oracles.Gaussian(np.zeros(2), np.eye(2))
    law = oracles.langevin_law(
        oracles.CORRELATED, start, 0.4, 6, noise_scale)
    end = run_chain(
        Langevin(0.4, noise_scale), oracles.CORRELATED.log_prob,
        rng.normal([50_000, 2], rng.make_seed(1)), 6, SEED)
    oracles.assert_moments(end.position, law.mean, law.covariance)


def test_a_move_is_drift_of_half_the_squared_step_plus_step_times_noise():
    z = np.float32([[0.3, -1.2], [2.0, 0.7]])
    noise = np.float32([[1.0, -0.5], [0.25, 2.0]])
    kernel = Langevin(0.3, 0.8)
    state = kernel.step(
        oracles.standard_normal, kernel.init(None, tf.constant(z)), SEED,
        noise)
    np.testing.assert_allclose(
        state.position, z - 0.045 * z + 0.3 * 0.8 * noise, rtol=1e-6)


def test_a_state_reports_the_target_where_the_move_began():
    z = tf.constant([[3.0, 4.0]])
    kernel = Langevin(0.3)
    state = kernel.step(
        oracles.standard_normal, kernel.init(None, z), SEED)
    np.testing.assert_allclose(state.log_prob, [-12.5])
    np.testing.assert_allclose(state.gradient_norm, [5.0])
    np.testing.assert_array_equal(state.accept_prob, [1.0])


def test_without_noise_the_chain_climbs_to_the_mode():
    target, start = oracles.CORRELATED, tf.constant([[4.0, 3.0], [-2.0, 1.0]])
    climb = Langevin(0.5, noise_scale=0.0)
    heights = [target.log_prob(run_chain(
        climb, target.log_prob, start, k, SEED).position) for k in range(5)]
    assert np.all(np.diff(heights, axis=0) > 0)
    end = run_chain(climb, target.log_prob, start, 300, SEED)
    np.testing.assert_allclose(
        end.position, [target.mean, target.mean], atol=1e-4)


def test_the_gradient_of_each_chain_is_its_own():
    z = tf.constant([[1.0], [2.0], [3.0]])
    value, gradient = value_and_gradient(lambda z: z[:, 0]**3, z)
    np.testing.assert_allclose(value, [1.0, 8.0, 27.0])
    np.testing.assert_allclose(gradient, [[3.0], [12.0], [27.0]])


def test_a_target_that_ignores_a_leaf_leaves_it_to_the_noise():
    start = {"used": tf.ones([2, 3]), "unused": tf.ones([2, 1])}
    end = run_chain(
        Langevin(0.5, 0.0), lambda z: -tf.reduce_sum(z["used"]**2, -1),
        start, 1, SEED)
    np.testing.assert_array_equal(end.position["unused"], start["unused"])
    assert np.all(np.asarray(end.position["used"]) < 1.0)
