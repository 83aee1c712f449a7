"""Losses of energies at noise levels, and of the encoder below them."""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.densities.noise_levels import NoiseLevels
from lebm_tf.samplers.diffused import PAIRS
from lebm_tf.samplers.draws import Draws


@dataclasses.dataclass(frozen=True)
class LadderContrast:
    """sum of w_t (E(u+, t) - E(u-, t)) over both levels of a row, averaged over
    rows, in nats.

    `contrastive` of modules/ldebm.py (Yu et al. 2022, arXiv:2206.05895).
    Positive states are constants. The roles are "diffused", of
    `samplers.Diffused`, and "negative", the chains of the same rows.

    Attributes:
        levels: Noise levels.
    """
    levels: NoiseLevels

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        level, weight = _weights(self.levels, draws)
        high, low = (model.prior.energy(
            tf.stop_gradient(draws.states[role].position),
            condition={"level": level}) for role in ("diffused", "negative"))
        return PAIRS * tf.reduce_mean(weight * (high - low))


@dataclasses.dataclass(frozen=True)
class DiffusedEnergy:
    """sum of w_t E(u+, t) over both levels, averaged over rows, in nats.

    With the entropy it forms the loss of the encoder; `zkl` of
    modules/ldebm.py.

    Attributes:
        levels: Noise levels.
    """
    levels: NoiseLevels

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        level, weight = _weights(self.levels, draws)
        return PAIRS * tf.reduce_mean(weight * model.prior.energy(
            draws.states["diffused"].position, condition={"level": level}))


@dataclasses.dataclass(frozen=True)
class HighestNormal:
    """w |z_{T-1}|^2 / 2 of the states of the highest level, averaged over rows.

    This alone keeps the means of codes near 0: for the mean m itself it is w
    a^2 |m|^2 / 2, with a = 0.28, the product of the factors of six published
    levels, and w = 0.32. Codes grow if nothing else stops them.

    Attributes:
        levels: Noise levels.
    """
    levels: NoiseLevels

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        level, weight = _weights(self.levels, draws)
        squares = 0.5 * tf.reduce_sum(
            tf.square(draws.states["diffused"].position), -1)
        highest = tf.equal(level, self.levels.num_levels - 1)
        return PAIRS * tf.reduce_mean(tf.where(
            highest, weight * squares, tf.zeros_like(squares)))


@dataclasses.dataclass(frozen=True)
class NegativeEntropy:
    """mean of -sum of (1 + log variance) / 2 of q(z | x), in nats up to a
    constant: the negative entropy of the encoder.

    Attributes:
        threshold: Elements at or below it are ignored, also in the gradient;
            None counts all. 1 in the authors' programs for text.
    """
    threshold: float | None = None

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        _, log_scale = draws.positive.encoded
        terms = -0.5 - log_scale
        if self.threshold is not None:
            terms = tf.where(terms > self.threshold, terms,
                             tf.zeros_like(terms))
        return draws.mean(tf.reduce_sum(terms, -1))


def _weights(levels, draws):
    """Level and weight of every diffused state, [rows]."""
    draw = draws.states["diffused"]
    level = draw.condition["level"]
    return level, tf.gather(tf.constant(
        levels.weights, draw.start.dtype), level)
