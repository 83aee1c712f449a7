"""Losses for symbols: classification, bounds and mutual information."""

import dataclasses
from typing import Any, Callable

import tensorflow as tf

from lebm_tf.mcmc import replicas, rng
from lebm_tf.samplers.draws import Draws

_SMALLEST = 1e-15  # Added to a mean probability in a log, as published.


@dataclasses.dataclass(frozen=True)
class SymbolCrossEntropy:
    """mean of -log p(y | x) over the labelled rows of a batch, in nats.

    p(y | x) = p(y | z) at a code z of x.

    Attributes:
        code: (model, draws) -> z, [labelled rows, ...].
    """
    code: Callable[[Any, Draws], tf.Tensor]

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        logs = model.prior.symbol_log_probs(self.code(model, draws))
        return -tf.reduce_mean(tf.gather(
            logs, draws.batch["labelled_y"], batch_dims=1))


@dataclasses.dataclass(frozen=True)
class ClusterCrossEntropy:
    """mean of -weight log p(y | z) over all rows, with their clusters y, in
    nats.

    Geometric clustering of Yu et al. 2022, arXiv:2206.05895: symbols learn the
    k-means clusters of codes, and codes learn to keep them.

    Attributes:
        clusters: Has `of(index)`, as `models.CodeClusters`.
        role: Role with the states z of the rows of the batch.
    """
    clusters: Any
    role: str = "lowest"

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        logs = model.prior.symbol_log_probs(draws.states[self.role].position)
        labels, weights = self.clusters.of(draws.batch["index"])
        # -1 before the first clustering.
        told = tf.gather(logs, tf.maximum(labels, 0), batch_dims=1)
        return -tf.reduce_mean(tf.where(
            labels >= 0, tf.cast(weights, told.dtype) * told,
            tf.zeros_like(told)))


def encoded_mean(model: Any, draws: Draws) -> tf.Tensor:
    """The mean of q(z | x), without the encoder's dropout.

    It replaces an expectation, as in the authors' code (which keeps dropout):
    semi_sup_classification.py of Pang and Wu 2021, arXiv:2108.11556.
    """
    return model.encoder.parameters(draws.batch["labelled_x"])[0]


def encoded_sample(model: Any, draws: Draws) -> tf.Tensor:
    """A reparameterized draw of q(z | x), without the encoder's dropout."""
    return model.encoder.sample(
        draws.batch["labelled_x"], rng.stream(draws.seed, "labelled"))


def encoded_noised(levels: Any, model: Any, draws: Draws) -> tf.Tensor:
    """A reparameterized sample of q(z | x) with the noise of level 0.

    Args:
        levels: `NoiseLevels`.
        model: A model with an encoder.
        draws: Draws with labelled rows.
    """
    first, second = (rng.stream(draws.seed, name) for name in (
        "labelled", "labelled noise"))
    z = model.encoder.sample(draws.batch["labelled_x"], first)
    return levels.factors[0] * z + levels.scales[0] * rng.normal_like(
        z, second)


def drawn_code(model: Any, draws: Draws) -> tf.Tensor:
    """A chain's sample of p(z | x, y).

    With `energy_contrast` this gives the gradient of log p(x, y), since F_y(z)
    = log sum_y exp F_y(z) + log p(y | z).
    """
    return draws.states["labelled"].position


def encoded_draw(model: Any, draws: Draws) -> tf.Tensor:
    """A sample of q(z | x), a constant without gradient to the encoder."""
    return tf.stop_gradient(model.encoder.sample(
        draws.batch["labelled_x"], rng.stream(draws.seed, "labelled")))


@dataclasses.dataclass(frozen=True)
class LabelledBound:
    """mean of an upper bound of -log p(z, y) over labelled codes.

    Kingma et al. 2014, arXiv:1406.5298, equation of L(x, y) of M2.

    Attributes:
        density: Has `labelled_bound(z, y, seed)`, as `densities.LabelledVAE`.
    """
    density: Any

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        return -tf.reduce_mean(self.density.labelled_bound(
            encoded_draw(model, draws), draws.batch["labelled_y"],
            rng.stream(draws.seed, "second labelled")))


@dataclasses.dataclass(frozen=True)
class UnlabelledBound:
    """mean of an upper bound of -log p(z) over all codes: U(x) of M2.

    Attributes:
        density: Has `unlabelled_bound(z, seed)`.
    """
    density: Any

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        return -tf.reduce_mean(self.density.unlabelled_bound(
            tf.stop_gradient(draws.positive.position),
            rng.stream(draws.seed, "second")))


def encoded_mean_logits(model: Any, draws: Draws) -> tf.Tensor:
    """mean over rows and symbols of -F_y(z+), in nats.

    It replaces E(z+) = -log sum_y exp F_y(z+), and is an upper bound of it up
    to a constant; sentence_attribute_control.py of Pang and Wu 2021,
    arXiv:2108.11556, for Yelp.
    """
    return -tf.reduce_mean(model.prior.logits(draws.positive.position))


def mean_logit_contrast(model: Any, draws: Draws) -> tf.Tensor:
    """`encoded_mean_logits` - mean E(z-), a scalar in nats."""
    return encoded_mean_logits(model, draws) - tf.reduce_mean(
        model.prior.energy(draws.negative.position,
                           condition=draws.condition("negative")))


def symbol_information(model: Any, draws: Draws) -> tf.Tensor:
    """Mutual information I(z; y) of the positive states, in nats; to be
    maximized.

    H(mean of p(y | z)) - mean of H(p(y | z)) over the batch of all replicas;
    Pang and Wu 2021, arXiv:2108.11556.
    """
    logs = model.prior.symbol_log_probs(draws.positive.position)
    # The mean of one replica; replicas are averaged later.
    inner = tf.reduce_mean(tf.reduce_sum(tf.exp(logs) * logs, axis=-1))
    mean, = replicas.total([
        tf.reduce_mean(tf.exp(logs), axis=0) / replicas.count()])
    log_mean = tf.math.log(mean + _SMALLEST)
    return inner - tf.reduce_sum(tf.exp(log_mean) * log_mean)
