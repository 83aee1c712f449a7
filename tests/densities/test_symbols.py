"""Priors and likelihoods with symbols, against closed forms."""

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.densities import (
    LabelledVAE, StandardNormal, SymbolPrior, UnigramLikelihood,
    kl_to_standard_normal, prior_target)
from lebm_tf.mcmc import Langevin, rng, run_chain
from lebm_tf.networks import VectorMLP
from tests import oracles

# Logits that are linear: p(z | y) is a Gaussian around the rows of this.
CENTRES = np.array([[1.5, 0.0], [-1.0, 1.0], [0.0, -2.0]], np.float32)


def linear_prior():
    network = VectorMLP(2, 3, ())
    # log p0(z) + c.z - |c|^2 / 2 is N(z; c, I) for each centre.
    network.head.set_weights([CENTRES.T, -0.5 * (CENTRES**2).sum(1)])
    return SymbolPrior(StandardNormal(2), network)


def test_the_marginal_is_the_mixture_of_its_symbols():
    prior = linear_prior()
    z = tf.constant(np.random.default_rng(0).normal(size=[50, 2]), tf.float32)
    parts = np.stack([-0.5 * ((z - c)**2).numpy().sum(1)
                      - np.log(2 * np.pi) for c in CENTRES], 1)
    np.testing.assert_allclose(
        prior.unnormalized_log_prob(z), np.log(np.exp(parts).sum(1)),
        rtol=1e-5)
    np.testing.assert_allclose(
        tf.exp(prior.symbol_log_probs(z)),
        np.exp(parts) / np.exp(parts).sum(1, keepdims=True), rtol=1e-4)
    assert prior.num_symbols == 3


def test_a_symbol_is_a_condition_and_minus_one_is_none():
    prior, z = linear_prior(), tf.constant([[0.3, 1.0]] * 3)
    energy = prior.energy(z, condition=tf.constant([2, -1, 0]))
    logits = prior.logits(z)[0].numpy()
    np.testing.assert_allclose(
        energy, [-logits[2], -np.log(np.exp(logits).sum()), -logits[0]],
        rtol=1e-5)


def test_chains_of_a_symbol_sample_its_gaussian():
    prior, rows = linear_prior(), 4000
    labels = np.repeat([0, 1, 2, 2], rows // 4)
    step = 0.3
    end = run_chain(
        Langevin(step), prior_target(prior, tf.constant(labels)),
        tf.constant(CENTRES[labels]), 60, rng.make_seed(1)).position
    for label, centre in enumerate(CENTRES):
        oracles.assert_moments(end.numpy()[labels == label], centre,
                               np.eye(2) / (1 - step**2 / 4))


def unigrams(**changes):
    likelihood = UnigramLikelihood(VectorMLP(2, 5, (4,)), 5, **changes)
    likelihood.background.assign(np.log([1e-12, .4, .3, .2, .1]))
    return likelihood


def test_words_have_the_probabilities_that_decode_says():
    likelihood, z = unigrams(), tf.constant([[0.2, 1.0], [3.0, -1.0]])
    probs = likelihood.decode(z, rng.make_seed(0)).numpy()
    np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-6)
    x = tf.constant([[0., 2, 0, 1, 0], [0, 0, 0, 0, 3]])
    np.testing.assert_allclose(
        likelihood.log_prob(x, z),
        [2 * np.log(probs[0, 1]) + np.log(probs[0, 3]),
         3 * np.log(probs[1, 4])], rtol=1e-5)


def test_without_a_seed_no_row_depends_on_another():
    likelihood, z = unigrams(average_decay=0.5), tf.constant(
        np.random.default_rng(0).normal(size=[8, 2]), tf.float32)
    before = likelihood.moving_mean.numpy()
    alone = likelihood.logits(z[:1])
    np.testing.assert_allclose(likelihood.logits(z)[:1], alone, rtol=1e-6)
    np.testing.assert_array_equal(likelihood.moving_mean, before)
    batch = likelihood.logits(z, training=True)
    assert np.abs(batch[:1] - alone).max() > 1e-3
    assert np.abs(likelihood.moving_mean - before).max() > 1e-4


def test_counts_of_another_vocabulary_are_refused():
    with pytest.raises(ValueError, match=r"\[batch, 5\], got \[2, 4\]"):
        unigrams().read(np.zeros([2, 4]))


def labelled_vae():
    return LabelledVAE(
        2, 3, VectorMLP(5, 2, (4,)), VectorMLP(5, 2, (4,), num_outputs=2),
        VectorMLP(2, 3, (4,)), scale=0.7)


def test_the_labelled_bound_is_its_terms():
    density, seed = labelled_vae(), rng.make_seed(3)
    z, y = tf.constant([[0.3, -1.0], [1.0, 2.0]]), tf.constant([2, 0])
    joined = tf.concat([z, tf.one_hot(y, 3)], 1)
    mean, log_scale = density.encoder.parameters(joined)
    u = density.encoder.sample_from(mean, log_scale, seed)
    expected = -0.5 * tf.reduce_sum(tf.square((
        z - density.likelihood.generator(tf.concat(
            [u, tf.one_hot(y, 3)], 1))) / 0.7), 1) - 2 * np.log(
                0.7 * np.sqrt(2 * np.pi))
    expected += -kl_to_standard_normal(mean, log_scale) - np.log(3)
    np.testing.assert_allclose(
        density.labelled_bound(z, y, seed), expected, rtol=1e-5)


def test_the_unlabelled_bound_weighs_symbols_by_the_classifier():
    density, seed = labelled_vae(), rng.make_seed(3)
    z = tf.constant([[0.3, -1.0], [1.0, 2.0]])
    probs = tf.exp(density.symbol_log_probs(z)).numpy()
    expected = sum(probs[:, y] * (density.labelled_bound(
        z, tf.constant([y, y]), rng.fold_in(seed, y)).numpy()
        - np.log(probs[:, y])) for y in range(3))
    np.testing.assert_allclose(
        density.unlabelled_bound(z, seed), expected, rtol=1e-5)


def test_its_samples_have_every_symbol():
    density = labelled_vae()
    drawn = density.sample(200, rng.make_seed(0))
    assert drawn.shape == (200, 2) and np.isfinite(drawn).all()
