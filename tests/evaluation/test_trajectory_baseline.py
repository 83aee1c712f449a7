"""Tests of the constant-velocity baseline."""

import math

import numpy as np
import pytest

from lebm_tf.evaluation.trajectories.baseline import (
    constant_velocity, constant_velocity_samples)
from lebm_tf.evaluation.trajectories.metrics import minimum_errors

PAST = np.array([[[9.0, 9.0], [0.0, 1.0], [1.0, 3.0]],
                 [[0.0, 0.0], [5.0, 5.0], [5.0, 5.0]]])


def test_the_last_displacement_goes_on():
    found = constant_velocity(PAST, 3)
    np.testing.assert_array_equal(
        found[:, 0], [[[2, 5], [3, 7], [4, 9]], [[5, 5]] * 3])
    times = np.arange(20.0)[:, None] * [2.0, -1.0] + [3.0, 4.0]
    errors = minimum_errors(constant_velocity(times[None, :8], 12),
                            times[None, 8:])
    np.testing.assert_array_equal(errors.ade, [0.0])
    np.testing.assert_array_equal(errors.fde, [0.0])


def test_samples_are_turned_by_the_angle_that_their_energy_says():
    scale = 0.2
    sampled = constant_velocity_samples(PAST, 3, 4000, 0, angle_scale=scale)
    assert sampled.predictions.shape == (2, 4000, 3, 2)
    from_last = sampled.predictions[0] - PAST[0, -1]
    np.testing.assert_allclose(
        np.linalg.norm(from_last, axis=-1),
        np.broadcast_to(math.sqrt(5) * np.arange(1, 4), (4000, 3)),
        rtol=1e-12)
    angle = np.arctan2(*from_last[:, 0].T[::-1]) - math.atan2(2.0, 1.0)
    expected = 0.5 * (angle / scale)**2 + math.log(
        scale * math.sqrt(2 * math.pi))
    np.testing.assert_allclose(sampled.energy[0], expected, rtol=1e-9,
                               atol=1e-9)
    # The entropy of a normal angle, within 5 standard errors.
    entropy = math.log(scale * math.sqrt(2 * math.pi * math.e))
    assert sampled.energy.mean() == pytest.approx(
        entropy, abs=5 * math.sqrt(0.5 / 8000))


def test_equal_seeds_give_equal_samples():
    one, same, other = (constant_velocity_samples(PAST, 3, 5, seed).predictions
                        for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one[0] != other[0]).all()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"length >= 2, got \[2, 1, 2\]"):
        constant_velocity(PAST[:, :1], 3)
    with pytest.raises(ValueError, match="future_length must be >= 1, got 0"):
        constant_velocity(PAST, 0)
    for samples, scale in ((0, 0.1), (3, 0.0), (3, math.inf)):
        with pytest.raises(ValueError, match=f"got {samples} and {scale}"):
            constant_velocity_samples(PAST, 3, samples, 0, scale)
