"""Tests of trajectory errors: scenes made by hand, closed forms, scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from lebm_tf.evaluation.trajectories.metrics import (
    kde_nll, minimum_errors, miss_rate, nearest_plan_errors)

RANDOM = np.random.default_rng(0)
FUTURE = np.zeros([1, 12, 2])


def paths(*errors):
    """One agent whose path k is errors[k] away at each of 12 positions."""
    away = np.array([np.broadcast_to(error, 12) for error in errors], float)
    return np.stack([0.6 * away, 0.8 * away], -1)[None]


def test_the_minimum_takes_each_error_on_its_own():
    early = np.r_[np.full(11, 1.0), 13.0]  # ADE 2, FDE 13.
    late = np.r_[np.full(11, 6.0), 0.5]  # ADE 66.5 / 12, FDE 0.5.
    errors = minimum_errors(paths(early, late), FUTURE)
    np.testing.assert_allclose(errors.ade, [2.0], rtol=1e-15)
    np.testing.assert_allclose(errors.fde, [0.5], rtol=1e-15)


def test_the_nearest_plan_is_one_prediction_and_its_end_the_plans_own():
    predictions = paths(3.0, 1.0, 2.0)
    plans = paths(*[[error] * 12 for error in (2.0, 5.0, 7.0)])[:, :, :4]
    errors = nearest_plan_errors(predictions, FUTURE, plans)
    np.testing.assert_allclose(errors.ade, [3.0], rtol=1e-15)
    np.testing.assert_allclose(errors.fde, [2.0], rtol=1e-15)


def test_the_plan_distance_is_over_all_way_points_together():
    far_end = np.zeros(12)
    far_end[11] = 3.0  # sqrt(9) of the plan; the other has sqrt(4 * 1.5^2).
    errors = nearest_plan_errors(paths(far_end, 1.5), FUTURE)
    np.testing.assert_allclose(errors.ade, [0.25], rtol=1e-15)
    np.testing.assert_allclose(errors.fde, [3.0], rtol=1e-15)
    far_end[11] = 3.01
    errors = nearest_plan_errors(paths(far_end, 1.5), FUTURE)
    np.testing.assert_allclose(errors.fde, [1.5], rtol=1e-15)


def test_the_minimum_is_never_above_the_nearest_plan():
    predictions = RANDOM.normal(size=[30, 20, 12, 2])
    future = RANDOM.normal(size=[30, 12, 2])
    one = minimum_errors(predictions, future)
    other = nearest_plan_errors(predictions, future)
    assert (one.ade <= other.ade).all() and (one.fde <= other.fde).all()
    assert (one.fde < other.fde).any()
    single = predictions[:, :1]
    for a, b in zip(minimum_errors(single, future),
                    nearest_plan_errors(single, future)):
        np.testing.assert_array_equal(a, b)


def test_a_miss_ends_beyond_the_distance_with_every_path():
    predictions = np.concatenate([paths(1.0, 4.0), paths(2.5, 3.0),
                                  paths(9.0, 2.0)])
    future = np.repeat(FUTURE, 3, axis=0)
    assert miss_rate(predictions, future, 2.0) == pytest.approx(1 / 3)
    assert miss_rate(predictions, future, 0.9) == 1.0


def test_the_kernel_density_is_that_of_scipy():
    predictions = RANDOM.normal(size=[3, 20, 4, 2]) * [1.0, 30.0] + 100.0
    predictions[..., 1] += predictions[..., 0]
    future = predictions[:, 0] + 0.3
    expected = -np.mean([
        stats.gaussian_kde(predictions[n, :, t].T).logpdf(future[n, t])
        for n in range(3) for t in range(4)])
    assert kde_nll(predictions, future) == pytest.approx(expected, rel=1e-9)


def test_the_density_of_many_normal_paths_has_its_closed_form():
    """A Gaussian seen through a Gaussian kernel is a Gaussian of variance
    s^2 (1 + K^(-1/3)), at its centre 1 / (2 pi s^2 (1 + K^(-1/3)))."""
    num_paths, scale = 4000, 2.5
    predictions = scale * RANDOM.normal(size=[40, num_paths, 1, 2])
    expected = math.log(2 * math.pi * scale**2 * (1 + num_paths**(-1 / 3)))
    found = kde_nll(predictions, np.zeros([40, 1, 2]))
    assert found == pytest.approx(expected, abs=0.03)


def test_density_far_off_or_flat_counts_with_the_floor():
    predictions = RANDOM.normal(size=[1, 20, 12, 2])
    assert kde_nll(predictions, FUTURE + 1e6) == 20.0
    assert kde_nll(predictions, FUTURE + 1e6, floor=-7.0) == 7.0
    assert kde_nll(paths(*range(20)), FUTURE) == 20.0  # All on one line.
    assert kde_nll(np.zeros([1, 20, 12, 2]), FUTURE) == 20.0  # Or point.
    with pytest.raises(ValueError, match="at least 3 paths .* got 2"):
        kde_nll(predictions[:, :2], FUTURE)


def test_pieces_of_agents_add_up(monkeypatch):
    predictions = RANDOM.normal(size=[7, 5, 12, 2])
    future = RANDOM.normal(size=[7, 12, 2])
    whole = kde_nll(predictions, future)
    monkeypatch.setattr("lebm_tf.evaluation.trajectories.metrics._PIECE", 300)
    assert kde_nll(predictions, future) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("predictions, future, message", [
    (np.zeros([2, 3, 12]), FUTURE, r"\[N, K, length, 2\] .* got \[2, 3, 12\]"),
    (np.zeros([1, 0, 12, 2]), FUTURE, r"empty axes, got \[1, 0, 12, 2\]"),
    (np.zeros([2, 3, 12, 2]), FUTURE,
     r"future must have shape \[2, 12, 2\] .* got \[1, 12, 2\]"),
    (np.full([1, 3, 12, 2], np.nan), FUTURE, "be finite, got 72 NaN"),
])
def test_shapes_that_do_not_fit_are_refused(predictions, future, message):
    for metric in (minimum_errors, nearest_plan_errors, kde_nll,
                   lambda *arrays: miss_rate(*arrays, 1.0)):
        with pytest.raises(ValueError, match=message):
            metric(predictions, future)


def test_plans_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\[1, 2, 4, 2\], got \[1, 2, 3, 2"):
        nearest_plan_errors(paths(1, 2), FUTURE, np.zeros([1, 2, 3, 2]))
    with pytest.raises(ValueError, match=r"must end with 11, got \[2, 5\]"):
        nearest_plan_errors(paths(1, 2), FUTURE, steps=(2, 5))
    with pytest.raises(ValueError, match="distance must be > 0, got 0"):
        miss_rate(paths(1, 2), FUTURE, 0)
