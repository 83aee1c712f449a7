"""Kernels that know N(0, I), alone and in turns with one that climbs."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import StandardNormal
from lebm_tf.mcmc import (
    Alternating, CrankNicolson, Hmc, Independence, Langevin, Mala, Nuts, rng,
    run_chain, trace_chain, tune)
from tests import oracles

SEED = rng.make_seed(11)
KERNELS = [CrankNicolson(0.7), Independence(),
           Independence(StandardNormal(2, 1.7)),
           Alternating(Mala(0.9), CrankNicolson(0.7), 2),
           Alternating(Hmc(0.6, 3), Independence(), 4)]
TARGETS = [oracles.CORRELATED, oracles.Mixture()]


def advance(kernel, target, start, num_steps, seed=SEED):
    return tf.function(lambda start, seed: run_chain(
        kernel, target, start, num_steps, seed))(start, seed)


@pytest.mark.parametrize("target", TARGETS, ids=["gaussian", "mixture"])
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_exact_draws_stay_exact_draws(kernel, target):
    start = target.sample(15_000)
    end = advance(kernel, target.log_prob, start, 12)
    oracles.assert_moments(end.position, target.mean, target.covariance)
    moved = np.any(np.asarray(end.position) != start, axis=-1)
    assert np.mean(moved) > 0.8
    assert 0.02 < np.mean(end.accept_prob) < 0.98
    np.testing.assert_allclose(
        end.log_prob, target.log_prob(end.position), rtol=1e-4, atol=1e-4)


def test_without_its_accept_step_the_same_check_finds_the_bias():
    target = oracles.CORRELATED
    with pytest.raises(AssertionError):
        oracles.assert_moments(
            advance(Independence(), oracles.standard_normal,
                    target.sample(15_000), 8).position,
            target.mean, target.covariance)


def test_all_is_accepted_on_the_law_that_is_proposed_from():
    """And then a chain is AR(1) of correlation sqrt(1 - s^2)."""
    start = rng.normal([20_000, 1], SEED)
    end = advance(CrankNicolson(0.6), oracles.standard_normal, start, 1,
                  rng.make_seed(5))
    np.testing.assert_allclose(end.accept_prob, 1.0, atol=1e-5)
    pairs = np.concatenate([start, end.position], -1)
    oracles.assert_moments(pairs, [0.0, 0.0], [[1.0, 0.8], [0.8, 1.0]])


def test_every_proposal_from_the_target_itself_is_accepted():
    base = StandardNormal(3, 0.5)
    end = advance(Independence(base), base.log_prob, tf.zeros([50, 3]), 2)
    np.testing.assert_allclose(end.accept_prob, 1.0, atol=1e-5)
    assert np.unique(np.asarray(end.position)).size == 150


def test_a_target_that_is_not_a_number_is_not_entered():
    def half(z):
        return tf.where(z[:, 0] > 0, -0.5 * tf.reduce_sum(z**2, -1),
                        tf.constant(float("nan")))
    end = advance(Independence(), half, tf.ones([500, 1]), 10)
    assert np.all(np.asarray(end.position) > 0)
    assert np.all(np.isfinite(end.accept_prob))


@pytest.mark.parametrize("kernel", KERNELS[:3], ids=repr)
def test_a_chain_with_a_seed_of_its_own_is_the_same_among_others(kernel):
    """Proposal and acceptance both are of that seed alone."""
    start = oracles.CORRELATED.sample(6)
    seeds = rng.make_seed(tf.constant([3, 1, 4, 1, 5, 9], tf.int64))
    together = advance(kernel, oracles.CORRELATED.log_prob, start, 9, seeds)
    for i in (1, 4):
        alone = advance(kernel, oracles.CORRELATED.log_prob, start[i:i + 1],
                        9, seeds[i:i + 1])
        np.testing.assert_allclose(
            alone.position[0], together.position[i], rtol=1e-6)
        np.testing.assert_allclose(
            alone.accept_prob[0], together.accept_prob[i], rtol=1e-5)
    ends = np.asarray(together.position)
    assert np.any(ends[0] != ends[2])


def test_uniform_numbers_of_rows_are_uniform():
    drawn = np.asarray(rng.uniform(
        [2_000, 30], rng.make_seed(tf.range(2_000, dtype=tf.int64))))
    assert 0 <= drawn.min() and drawn.max() < 1
    assert drawn.mean() == pytest.approx(0.5, abs=0.005)
    assert drawn.var() == pytest.approx(1 / 12, abs=0.002)


def test_every_third_move_is_the_other_kernels():
    """HMC of a tiny step all but stands still; a jump is seen."""
    kernel = Alternating(Hmc(1e-6, 1), Independence(), 3)
    _, positions = tf.function(lambda: trace_chain(
        kernel, oracles.standard_normal, tf.zeros([4, 2]), 9, SEED,
        lambda state: state.position))()
    moved = np.abs(np.diff(positions, axis=0)).max((1, 2))
    np.testing.assert_array_equal(moved > 0.1, [False, False, True] * 3)


def test_in_turns_equals_the_first_kernel_where_the_other_never_comes():
    start = oracles.CORRELATED.sample(5)
    ends = [advance(kernel, oracles.CORRELATED.log_prob, start, 3).position
            for kernel in (Mala(0.4), Alternating(Mala(0.4), Independence()))]
    oracles.assert_nests_equal(*ends)


@pytest.mark.parametrize("kernel,accept_prob", [
    (Mala(0.05), None), (Hmc(0.05, 2), 0.9), (Nuts(0.05, 3), None),
    (CrankNicolson(0.9), 0.4)], ids=repr)
def test_a_step_size_is_tuned_once_for_any_kernel(kernel, accept_prob):
    target = oracles.CORRELATED
    tuned = tf.function(lambda: tune(
        kernel, target.log_prob, target.sample(200), 200, SEED, accept_prob))()
    wanted = accept_prob or {"Mala": 0.574, "Nuts": 0.8}[type(kernel).__name__]
    assert float(tuned.accept_prob) == pytest.approx(wanted, abs=0.06)
    end = tf.function(lambda: run_chain(
        kernel, target.log_prob, tuned.position, 20, SEED,
        step_size=tuned.step_size))()
    assert np.mean(end.accept_prob) == pytest.approx(wanted, abs=0.08)


def test_crank_nicolson_is_never_tuned_beyond_one():
    tuned = tune(CrankNicolson(0.5), oracles.standard_normal,
                 tf.zeros([8, 2]), 60, SEED)
    assert float(tuned.step_size) == pytest.approx(1.0, abs=0.05)
    assert float(tuned.step_size) <= 1.0


@pytest.mark.parametrize("kernel", [Langevin(0.1), Independence()], ids=repr)
def test_what_has_no_acceptance_to_aim_at_is_not_tuned(kernel):
    name = type(kernel).__name__
    with oracles.raises(ValueError, "a step size can be tuned for Mala, Hmc, "
                        f"Nuts, CrankNicolson, got {name}."):
        tune(kernel, oracles.standard_normal, tf.zeros([2, 2]), 5, SEED)
