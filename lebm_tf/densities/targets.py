"""Targets: unnormalized log densities that chains sample."""

import dataclasses
import functools
from typing import Any, Callable, TypeVar

import tensorflow as tf

from lebm_tf.mcmc.kernel import Position, is_per_chain


@dataclasses.dataclass(frozen=True)
class Target:
    """A log density of states, with its inputs for every chain.

    A sampler may run a subset of the chains with the corresponding `rows`.

    Attributes:
        log_prob: (position, rows) -> [chains].
        rows: Inputs, nest of tensors [chains, ...].
        is_rowwise: Whether chains are independent of each other.
        condition: Condition of the states, if any.
        parts: Terms of log_prob that a kernel may use one after the other, as
            functions like log_prob; () for none.
    """
    log_prob: Callable[[Position, Any], tf.Tensor]
    rows: Any = ()
    is_rowwise: bool = True
    condition: Any = None
    parts: tuple[Callable[[Position, Any], tf.Tensor], ...] = ()

    def __call__(self, position: Position) -> tf.Tensor:
        """Log density up to a constant, [chains], in nats."""
        return self.log_prob(position, self.rows)

    @property
    def in_turn(self) -> tuple[Callable[[Position], tf.Tensor], ...]:
        """The parts as functions of the position."""
        return tuple(functools.partial(_at, part, self.rows)
                     for part in self.parts)

    def mapped(self, change: Callable) -> "Target":
        """The target with log_prob and its parts transformed by `change`."""
        return dataclasses.replace(
            self, log_prob=change(self.log_prob),
            parts=tuple(map(change, self.parts)))


def _at(log_prob, rows, position):
    return log_prob(position, rows)


def _rows(condition):
    return () if condition is None else (condition,)  # Nests cannot hold None.


def _condition(rows):
    return rows[0] if rows else None


def prior_target(prior: Any, condition=None) -> Target:
    """z -> log p(z) up to a constant, [batch].

    Args:
        prior: A `Prior`.
        condition: Condition of the prior, if any.
    """
    return Target(
        lambda z, rows: prior.unnormalized_log_prob(
            z, condition=_condition(rows)), _rows(condition),
        condition=condition)


def posterior_target(prior: Any, likelihood: Any, x: Any, condition=None,
                     dropout_seed=None) -> Target:
    """z -> log p(z) + log p(x | z) up to a constant, [batch].

    The likelihood is a sum over the elements of x; a mean would weaken it by
    their number. `dropout_seed`, int32 [2], is for likelihoods with dropout:
    all moves use the same mask, which is drawn for all rows at once.
    """
    def log_prob(z, rows):
        x, condition = rows[0], _condition(rows[1])
        return (prior.unnormalized_log_prob(z, condition=condition)
                + likelihood.log_prob(
                    x, z, condition=condition, seed=dropout_seed))
    return Target(log_prob, (x, _rows(condition)), dropout_seed is None,
                  condition)


def joint_target(target: Target, density: Any, value: tf.Tensor) -> Target:
    """The target plus log p(value | z).

    Args:
        target: z -> [batch].
        density: Has `log_prob(value, z)`, [batch].
        value: [batch, ...].
    """
    def first(z, rows):
        return target.log_prob(z, rows[0])

    def second(z, rows):
        return density.log_prob(rows[1], z)
    return dataclasses.replace(
        target, log_prob=lambda z, rows: first(z, rows) + second(z, rows),
        rows=(target.rows, value), parts=(first, second))


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


AnyTarget = TypeVar("AnyTarget", Target, LadderTarget)


def tempered(target: AnyTarget, temperature: float | tf.Tensor
             ) -> AnyTarget:
    """The target at a temperature T > 0, [] or [batch]: log p / T."""
    if isinstance(target, LadderTarget):
        return LadderTarget(lambda level, start: tempered(
            target(level, start), temperature))
    if not is_per_chain(temperature):
        return target.mapped(lambda log_prob: lambda z, rows: log_prob(
            z, rows) / temperature)
    return dataclasses.replace(
        target.mapped(lambda log_prob: lambda z, rows: log_prob(
            z, rows[0]) / rows[1]), rows=(target.rows, temperature))
