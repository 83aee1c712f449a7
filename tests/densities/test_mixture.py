"""Mixtures of Gaussians, fitted to codes."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from lebm_tf.densities import GaussianMixture
from lebm_tf.mcmc import rng
from tests import oracles

tfd = tfp.distributions


def test_one_gaussian_takes_the_moments_of_the_codes():
    codes = oracles.CORRELATED.sample(500)
    density = GaussianMixture(2)
    density.fit(codes, seed=0, step=7)
    mean, covariance = codes.mean(0), np.cov(codes, rowvar=False, ddof=0)
    np.testing.assert_allclose(density.means[0], mean, rtol=1e-5)
    root = density.roots[0].numpy()
    np.testing.assert_allclose(root @ root.T, covariance, atol=1e-5)
    twin = tfd.MultivariateNormalTriL(
        mean, np.linalg.cholesky(covariance).astype(np.float32))
    np.testing.assert_allclose(
        density.log_prob(codes[:9]), twin.log_prob(codes[:9]), rtol=1e-4)
    assert int(density.fitted_step) == 7
    oracles.assert_moments(
        density.sample(20_000, rng.make_seed(1)), mean, covariance)


def test_codes_on_a_line_are_no_trouble():
    line = np.linspace(-1, 1, 50)[:, None] * [1.0, 1.0, 0.0]
    density = GaussianMixture(3)
    density.fit(line, seed=0, step=1)
    assert np.all(np.isfinite(density.log_prob(line.astype(np.float32))))


def test_two_gaussians_are_found_and_sampled_in_proportion():
    law = oracles.Mixture(weight=0.3, centre=(4.0, 1.0), scale=0.5)
    codes = law.sample(4_000)
    density = GaussianMixture(2, num_components=2)
    density.fit(codes, seed=3, step=1)
    order = np.argsort(density.means[:, 0])
    np.testing.assert_allclose(
        density.proportions.numpy()[order], [0.7, 0.3], atol=0.04)
    np.testing.assert_allclose(
        density.means.numpy()[order], [[-4, -1], [4, 1]], atol=0.06)
    draws = density.sample(20_000, rng.make_seed(1)).numpy()
    component = draws[:, 0] > 0
    share = float(density.proportions[int(order[1])])
    assert abs(component.mean() - share) < 5 * (share / 20_000)**0.5
    twin = tfd.MixtureSameFamily(
        tfd.Categorical(probs=density.proportions.numpy()),
        tfd.MultivariateNormalTriL(density.means.numpy(),
                                   density.roots.numpy()))
    np.testing.assert_allclose(
        density.log_prob(draws[:20]), twin.log_prob(draws[:20]), rtol=1e-4)


def test_a_fit_repeats():
    codes = oracles.Mixture().sample(300)
    first, second = (GaussianMixture(2, 3) for _ in range(2))
    for density in (first, second):
        density.fit(codes, seed=-5, step=1)
    oracles.assert_nests_equal([v.numpy() for v in first.variables],
                               [v.numpy() for v in second.variables])


def test_a_row_depends_on_its_own_seed_alone():
    density = GaussianMixture(2, 2)
    density.fit(oracles.Mixture().sample(300), seed=0, step=1)
    seeds = rng.make_seed(tf.constant([3, 8, 5], tf.int64))
    rows = density.sample(3, seeds)
    np.testing.assert_array_equal(density.sample(1, seeds[1:2])[0], rows[1])


@pytest.mark.parametrize("arguments, message", [
    ((0,), "latent_dim must be >= 1, got 0."),
    ((2, 0), "num_components must be >= 1, got 0.")])
def test_a_bad_value_is_refused_with_its_message(arguments, message):
    with oracles.raises(ValueError, message):
        GaussianMixture(*arguments)
