"""Reconstruction losses of the generator at the positive states."""

from typing import Any

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.samplers.draws import Draws


def squared_error(model: Any, draws: Draws) -> tf.Tensor:
    """Batch mean of |x - g(z+)|^2, without 1 / (2 scale^2).

    Pang et al. 2020, arXiv:2006.08205, `loss_g` of train_svhn.py; Adam is
    invariant to the missing factor up to its epsilon.
    """
    return draws.mean(model.likelihood.squared_error(
        draws.batch["x"], draws.positive.position,
        condition=draws.batch.get("condition")))


def negative_log_likelihood(model: Any, draws: Draws) -> tf.Tensor:
    """Batch mean of -log p(x | z+), normalized, in nats."""
    return -draws.mean(model.likelihood.log_prob(
        draws.batch["x"], draws.positive.position,
        condition=draws.batch.get("condition")))


def dropped_negative_log_likelihood(model: Any, draws: Draws) -> tf.Tensor:
    """`negative_log_likelihood` with the training mode of the likelihood, such
    as the dropout of a `SequenceLikelihood`.

    Chains use the likelihood without dropout.
    """
    return -draws.mean(model.likelihood.log_prob(
        draws.batch["x"], draws.positive.position,
        seed=rng.stream(draws.seed, "dropout"),
        condition=draws.batch.get("condition")))


def negative_log_prior(model: Any, draws: Draws) -> tf.Tensor:
    """Batch mean of -log p(z+), in nats, of a normalized prior.

    It trains the layers above a generator as the generator is trained on data:
    each is fitted to the positive state of the layer below.
    """
    return -draws.mean(model.prior.log_prob(draws.positive.position))
