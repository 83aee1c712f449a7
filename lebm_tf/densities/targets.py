"""Targets: functions of a state that chains climb."""

import dataclasses
from typing import Any, Callable

import tensorflow as tf

from lebm_tf.mcmc.kernel import Position


@dataclasses.dataclass(frozen=True)
class Target:
    """A function of a state, with what it knows of every single chain.

    A sampler may so run a part of the chains alone, with its part of `rows`.

    Attributes:
        log_prob: (position, rows) -> [chains].
        rows: Nest of tensors [chains, ...].
        is_rowwise: Whether a part of the chains may run alone.
        condition: What the states are conditioned on, if anything.
    """
    log_prob: Callable[[Position, Any], tf.Tensor]
    rows: Any = ()
    is_rowwise: bool = True
    condition: Any = None

    def __call__(self, position: Position) -> tf.Tensor:
        """[chains], in nats, up to a constant."""
        return self.log_prob(position, self.rows)


def _rows(condition):
    return () if condition is None else (condition,)  # None is no nest.


def _condition(rows):
    return rows[0] if rows else None


def prior_target(prior: Any, condition=None) -> Target:
    """z -> log p(z) up to a constant, [batch].

    Args:
        prior: A `Prior`.
        condition: What the prior is conditioned on, if anything.
    """
    return Target(
        lambda z, rows: prior.unnormalized_log_prob(
            z, condition=_condition(rows)), _rows(condition),
        condition=condition)


def posterior_target(prior: Any, likelihood: Any, x: Any, condition=None,
                     dropout_seed=None) -> Target:
    """z -> log p(z) + log p(x | z) up to a constant, [batch].

    Sums over the elements of x: an average would weaken the likelihood by
    their number. A seed of dropout, int32 [2], is for likelihoods that have
    it; the same mask serves all moves, and is drawn for all rows at once.
    """
    def log_prob(z, rows):
        x, condition = rows[0], _condition(rows[1])
        return (prior.unnormalized_log_prob(z, condition=condition)
                + likelihood.log_prob(
                    x, z, condition=condition, seed=dropout_seed))
    return Target(log_prob, (x, _rows(condition)), dropout_seed is None,
                  condition)


def joint_target(target: Target, density: Any, value: tf.Tensor) -> Target:
    """The target, times p(value | z).

    Args:
        target: z -> [batch].
        density: With `log_prob(value, z)`, [batch].
        value: [batch, ...].
    """
    def log_prob(z, rows):
        rows, value = rows
        return target.log_prob(z, rows) + density.log_prob(value, z)
    return dataclasses.replace(
        target, log_prob=log_prob, rows=(target.rows, value))


@dataclasses.dataclass(frozen=True)
class LadderTarget:
    """The targets of a ladder of levels, for `samplers.Ladder`.

    Attributes:
        at: (level, int32 []; start of its chain) -> `Target`.
    """
    at: Callable[[tf.Tensor, Position], Target]

    def __call__(self, level: tf.Tensor, start: Position) -> Target:
        """The target of a level."""
        return self.at(level, start)


def tempered(target: Target | LadderTarget, temperature: float | tf.Tensor
             ) -> Target | LadderTarget:
    """The target at a temperature T > 0, [] or [batch]: log p / T."""
    if isinstance(target, LadderTarget):
        return LadderTarget(lambda level, start: tempered(
            target(level, start), temperature))
    if not tf.is_tensor(temperature) or not temperature.shape.rank:
        return dataclasses.replace(
            target, log_prob=lambda z, rows: target.log_prob(z, rows)
            / temperature)

    def log_prob(z, rows):
        rows, temperature = rows
        return target.log_prob(z, rows) / temperature
    return dataclasses.replace(
        target, log_prob=log_prob, rows=(target.rows, temperature))
