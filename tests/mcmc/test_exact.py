"""Calibrated kernels: they keep the target, whatever the step size."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.mcmc import Hmc, Langevin, Mala, Nuts, rng, run_chain
from tests import oracles

SEED = rng.make_seed(11)
# Steps so large that the same moves without correction miss the target.
KERNELS = [Mala(0.9), Hmc(0.6, 3), Nuts(0.6, 2)]
TARGETS = [oracles.CORRELATED, oracles.Mixture()]


def advance(kernel, target, start, num_steps):
    return tf.function(lambda start: run_chain(
        kernel, target.log_prob, start, num_steps, SEED))(start)


@pytest.mark.parametrize("target", TARGETS, ids=["gaussian", "mixture"])
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_exact_draws_stay_exact_draws(kernel, target):
    start = target.sample(15_000)
    end = advance(kernel, target, start, 8)
    oracles.assert_moments(end.position, target.mean, target.covariance)
    moved = np.any(np.asarray(end.position) != start, axis=-1)
    assert np.mean(moved) > 0.95
    assert 0.3 < np.mean(end.accept_prob) < 0.98
    np.testing.assert_allclose(
        end.log_prob, target.log_prob(end.position), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("target", TARGETS, ids=["gaussian", "mixture"])
def test_the_same_check_finds_the_bias_of_unadjusted_langevin(target):
    end = advance(Langevin(0.9), target, target.sample(15_000), 8)
    with pytest.raises(AssertionError):
        oracles.assert_moments(end.position, target.mean, target.covariance)


def test_a_proposal_of_mala_is_the_move_of_langevin():
    """Accepted chains move by s^2/2 grad + s e, so where z = 0 on a flat
    target (all accepted) displacement has variance s^2."""
    end = tf.function(lambda: run_chain(
        Mala(0.3), lambda z: 0.0 * z[:, 0], tf.zeros([20_000, 1]), 1, SEED))()
    oracles.assert_moments(end.position, [0.0], [[0.09]])
    tilted = tf.function(lambda: run_chain(
        Mala(0.3), lambda z: z[:, 0], tf.zeros([20_000, 1]), 1, SEED))()
    # On a linear target the drift is s^2/2, and every move is accepted.
    oracles.assert_moments(tilted.position, [0.045], [[0.09]])


@pytest.mark.parametrize("kernel", [
    Mala(0.05, num_adaptation_steps=150),
    Hmc(0.05, 2, num_adaptation_steps=150, target_accept_prob=0.9),
    Nuts(0.05, 3, num_adaptation_steps=100)], ids=repr)
def test_the_step_size_is_tuned_to_the_wanted_acceptance(kernel):
    target = oracles.CORRELATED
    end = advance(kernel, target, target.sample(500), 200)
    assert np.mean(end.accept_prob) == pytest.approx(
        kernel.target_accept_prob, abs=0.05)


def test_without_tuning_a_small_step_stays_small():
    target = oracles.CORRELATED
    end = advance(Mala(0.05), target, target.sample(500), 20)
    assert np.mean(end.accept_prob) > 0.99


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_noise_cannot_be_injected(kernel):
    start = tf.zeros([2, 2])
    state = kernel.init(oracles.standard_normal, start)
    name = type(kernel).__name__
    with oracles.raises(
            ValueError, f"{name} draws its own noise; got noise."):
        kernel.step(oracles.standard_normal, state, SEED, start)
