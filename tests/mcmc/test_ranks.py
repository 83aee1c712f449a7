"""Rank diagnostics against their definitions, and on chains of known quality.
"""

import numpy as np
import pytest
from scipy import stats
import tensorflow as tf

from lebm_tf.mcmc import (
    bulk_effective_sample_size, rank_r_hat, split_r_hat,
    tail_effective_sample_size)
from lebm_tf.mcmc.ranks import normal_scores
from tests import oracles
from tests.mcmc.test_diagnostics import autoregressive


def test_split_r_hat_is_that_of_its_definition():
    trace = np.random.default_rng(0).normal(size=[41, 3, 2]).cumsum(0)
    halves = np.concatenate([trace[:20], trace[21:]], 1)
    within = halves.var(0, ddof=1).mean(0)
    between = halves.mean(0).var(0, ddof=1)
    np.testing.assert_allclose(
        split_r_hat(trace), np.sqrt((19 / 20 * within + between) / within))


def test_scores_are_those_of_average_ranks():
    trace = np.random.default_rng(0).normal(size=[50, 4, 2]).round(1)
    ranks = np.stack([stats.rankdata(trace[..., i]).reshape(50, 4)
                      for i in range(2)], -1)
    np.testing.assert_allclose(
        normal_scores(trace), stats.norm.ppf((ranks - 0.375) / 200.25),
        atol=1e-12)


def test_independent_chains_pass():
    trace = tf.cast(autoregressive(0.0, 1000, 4), tf.float64)
    assert float(rank_r_hat(trace)) == pytest.approx(1.0, abs=0.01)
    for size in (bulk_effective_sample_size, tail_effective_sample_size):
        assert float(size(trace)) == pytest.approx(4000, rel=0.15)


def test_tails_that_differ_are_seen_where_means_agree():
    """Half of the chains three times as wide: only folded ranks tell."""
    trace = np.array(autoregressive(0.0, 1000, 4), np.float64)
    trace[:, 2:] *= 3
    assert float(split_r_hat(trace)) < 1.01
    assert float(rank_r_hat(trace)) > 1.1


def test_heavy_tails_hide_a_shift_from_all_but_ranks():
    random = np.random.default_rng(1)
    trace = random.standard_cauchy(size=[1000, 4])
    trace[:, 0] += 2
    assert float(split_r_hat(trace)) < 1.02 < float(rank_r_hat(trace))


def test_what_never_changes_has_no_r_hat():
    trace = np.concatenate([np.zeros([9, 2, 1]), np.random.default_rng(
        0).normal(size=[9, 2, 1])], -1)
    assert np.isnan(split_r_hat(trace)[0]) and np.isfinite(
        split_r_hat(trace)[1])


@pytest.mark.parametrize("records,chains", [(10, 1), (3, 2)])
@pytest.mark.parametrize("measure", [
    split_r_hat, rank_r_hat, bulk_effective_sample_size,
    tail_effective_sample_size])
def test_too_little_is_refused(measure, records, chains):
    with oracles.raises(ValueError, "R-hat needs at least 2 chains and 4 "
                        f"records per chain, got {chains} and {records}."):
        measure(np.zeros([records, chains]))
