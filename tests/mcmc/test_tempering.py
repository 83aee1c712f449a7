"""Replicas that swap keep the target, and cross where a chain alone can't."""

import numpy as np
import tensorflow as tf

from lebm_tf.mcmc import Hmc, Tempering, rng, run_chain, swap_rates
from tests import oracles

SEED = rng.make_seed(3)
KERNEL = Tempering(Hmc(0.5, 3), 3, 0.3)


def advance(target, start, num_steps, kernel=KERNEL):
    return tf.function(lambda start: run_chain(
        kernel, target, start, num_steps, SEED))(start)


def test_exact_draws_stay_exact_draws():
    """The hot replicas start at draws of the cold one, so they are given time
    to reach their own laws first: the cold one is then an equal mixture of
    what came down and what stayed."""
    target = oracles.Mixture()
    end = advance(target.log_prob, target.sample(8_000), 40)
    oracles.assert_moments(end.position, target.mean, target.covariance)
    np.testing.assert_allclose(
        end.log_prob, target.log_prob(end.position), rtol=1e-4, atol=1e-4)
    rates = np.asarray(swap_rates(end))
    assert rates.shape == (2,) and np.all((rates > 0.3) & (rates < 1))


def test_modes_that_one_chain_never_leaves_are_visited():
    """Two modes at +-2.5 of width 0.2, of weights 0.8 and 0.2, all chains in
    the first one; swaps bring the weights about."""
    far = oracles.Mixture(0.8, (2.5,), 0.2)
    start = 2.5 * tf.ones([300, 1])
    alone = advance(far.log_prob, start, 150, Hmc(0.15, 5))
    assert np.all(np.asarray(alone.position) > 0)
    end = advance(far.log_prob, start, 300, Tempering(Hmc(0.15, 5), 8, 0.01))
    share = np.mean(np.asarray(end.position) > 0)
    assert abs(share - 0.8) < 0.1
