"""Tests of information in latents against closed forms."""

import numpy as np
import pytest
import tensorflow_probability as tfp

from lebm_tf.evaluation.latents import information
from lebm_tf.evaluation.latents.information import (
    active_units, kl_divergence, mutual_information)


def test_divergence_is_that_of_tfp(numbers):
    means, log_scales = numbers.normal(size=(2, 5, 3))
    normal = tfp.distributions.MultivariateNormalDiag
    ours = kl_divergence(means, log_scales)
    np.testing.assert_allclose(ours, normal(
        means, np.exp(log_scales)).kl_divergence(
            normal(np.zeros(3), np.ones(3))), rtol=1e-12)
    np.testing.assert_array_equal(
        kl_divergence(np.zeros((4, 2)), np.zeros((4, 2))), np.zeros(4))


def test_units_are_active_whose_means_vary(numbers):
    """Variances 0.02, 0.005 and 0 around any mean: one is active."""
    signs = np.array([1.0, -1.0] * 50)[:, None]
    scales = np.sqrt([0.02, 0.005, 0.0])
    assert active_units(3.0 + signs * scales) == 1
    assert active_units(3.0 + signs * scales, threshold=1e-3) == 2


def test_equal_posteriors_say_nothing(numbers):
    means, log_scales = np.full((50, 2), 0.7), np.full((50, 2), -0.3)
    draws = means + np.exp(log_scales) * numbers.normal(size=(50, 2))
    assert mutual_information(means, log_scales, draws) == pytest.approx(
        0.0, abs=1e-12)


def test_posteriors_far_apart_say_which_one_it_was(numbers):
    """log N, which is also the most that N rows can show."""
    means = 1000.0 * np.arange(16.0)[:, None] * np.ones(3)
    draws = means[:, None] + numbers.normal(size=(16, 4, 3))
    assert mutual_information(means, np.zeros((16, 3)), draws) == (
        pytest.approx(np.log(16), abs=1e-12))


def test_it_is_that_of_a_gaussian_channel(numbers):
    """x ~ N(0, 1) and z|x ~ N(a x, s^2): log(1 + a^2 / s^2) / 2 in every
    dimension. The error is that of the mean of the log ratio; a mixture of
    3,000 rows is biased by less."""
    a, s, num = 0.8, 0.6, 3000
    x = numbers.normal(size=(num, 2))
    draws = a * x + s * numbers.normal(size=(num, 2))
    exact = np.log(1.0 + a**2 / s**2)
    log_ratio = np.log((a**2 + s**2) / s**2) + 0.5 * (
        draws**2 / (a**2 + s**2) - ((draws - a * x) / s)**2).sum(1)
    error = log_ratio.std() / num**0.5
    value = mutual_information(a * x, np.full((num, 2), np.log(s)), draws)
    assert value == pytest.approx(exact, abs=4 * error)
    assert error < 0.03


def test_blocks_and_several_draws_change_nothing(numbers, monkeypatch):
    means, log_scales = numbers.normal(size=(2, 20, 3))
    draws = means[:, None] + np.exp(log_scales)[:, None] * numbers.normal(
        size=(20, 6, 3))
    whole = mutual_information(means, log_scales, draws)
    alone = [mutual_information(means, log_scales, draws[:, i])
             for i in range(6)]
    assert whole == pytest.approx(np.mean(alone), rel=1e-12)
    monkeypatch.setattr(information, "_LARGEST_BLOCK", 200)
    assert mutual_information(means, log_scales, draws) == pytest.approx(
        whole, rel=1e-12)


@pytest.mark.parametrize("means, log_scales, draws, message", [
    (np.zeros((3, 2)), np.zeros((3, 1)), np.zeros((3, 2)),
     r"\[num >= 2, latent_dim >= 1\], got \[3, 2\] and \[3, 1\]"),
    (np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2)), "got .1, 2."),
    (np.full((3, 2), np.nan), np.zeros((3, 2)), np.zeros((3, 2)),
     "means and log_scales must be finite"),
    (np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((2, 2)),
     r"draws must be \[3, num_draws >= 1, 2\], got \[2, 1, 2\]"),
    (np.zeros((3, 2)), np.zeros((3, 2)), np.full((3, 2), np.inf),
     "draws must be finite")])
def test_wrong_arrays_are_refused(means, log_scales, draws, message):
    with pytest.raises(ValueError, match=message):
        mutual_information(means, log_scales, draws)
