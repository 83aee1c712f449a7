"""Levels of noise: what they keep, and what they refuse."""

import numpy as np
import pytest

from lebm_tf.densities import NoiseLevels


@pytest.mark.parametrize("num_levels", [2, 3, 6, 501])
def test_levels_keep_a_variance_of_one_and_end_in_noise(num_levels):
    levels = NoiseLevels.published(num_levels)
    assert levels.num_levels == num_levels
    np.testing.assert_allclose(np.square(levels.factors)
                               + np.square(levels.scales), 1.0, rtol=1e-12)
    variance = 1.0
    for factor, scale in zip(levels.factors, levels.scales):
        variance = factor**2 * variance + scale**2
    np.testing.assert_allclose(variance, 1.0, rtol=1e-12)
    assert levels.total_factors[-1] < 0.01 < 0.999 < levels.total_scales[-1]
    assert levels.model_factors[-1] == 1.0
    assert levels.model_factors[:-1] == levels.factors[:-1]
    assert levels.tethered == (True,) * num_levels + (False,)
    assert levels.weights[0] == 1.0 and min(levels.weights) > 0


def test_variances_add_up_along_the_levels():
    levels = NoiseLevels((0.1, 0.4, 0.7))
    direct = levels.total_scales
    variance = 0.0
    for level, (factor, scale) in enumerate(zip(levels.factors,
                                                levels.scales)):
        variance = factor**2 * variance + scale**2
        np.testing.assert_allclose(direct[level]**2, variance, rtol=1e-12)


@pytest.mark.parametrize("scales, message", [
    ((0.1, 0.5, 0.4), "must increase, got 0.4 at level 2 after 0.5"),
    ((0.1, 0.5, 0.5), "must increase, got 0.5 at level 2 after 0.5"),
    ((0.1, 0.0, 0.5), r"must lie in \(0, 1\], got 0 at level 1"),
    ((0.0, 0.4, 0.5), "got 0 at level 0"),
    ((0.1, 0.4, 1.5), "got 1.5 at level 2"),
    ((0.1, float("nan"), 0.5), "got nan at level 1"),
    ((0.1, 0.5), "must hold at least 3 numbers, for 2 or more levels, got 2")])
def test_levels_that_can_not_be_are_refused(scales, message):
    with pytest.raises(ValueError, match=message):
        NoiseLevels(scales)


@pytest.mark.parametrize("num_levels", [-1, 1, 502])
def test_so_are_numbers_of_levels(num_levels):
    with pytest.raises(ValueError, match=f"from 2 to 501, got {num_levels}"):
        NoiseLevels.published(num_levels)
