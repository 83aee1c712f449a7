"""Targets: functions of a state that chains climb."""

import dataclasses
from typing import Any, Callable

import tensorflow as tf

from lebm_tf.densities.conditions import given
from lebm_tf.mcmc.kernel import LogProbFn, Position


@dataclasses.dataclass(frozen=True)
class Target:
    """A function of a state, with what it knows of every single chain.

    A sampler may so run a part of the chains alone, with its part of `rows`.

    Attributes:
        log_prob: (position, rows) -> [chains].
        rows: Nest of tensors [chains, ...].
    """
    log_prob: Callable[[Position, Any], tf.Tensor]
    rows: Any = ()

    def __call__(self, position: Position) -> tf.Tensor:
        """[chains], in nats, up to a constant."""
        return self.log_prob(position, self.rows)


def prior_target(prior: Any, condition=None) -> Target:
    """z -> log p(z) up to a constant, [batch].

    Args:
        prior: An `EnergyPrior`, or a base with a normalized `log_prob`.
        condition: What the prior is conditioned on, if anything.
    """
    if hasattr(prior, "unnormalized_log_prob"):
        return Target(lambda z, rows: prior.unnormalized_log_prob(z, *rows),
                      () if condition is None else (condition,))
    return Target(lambda z, rows: prior.log_prob(z))


def posterior_target(prior: Any, likelihood: Any, x: Any, condition=None,
                     dropout_seed=None) -> LogProbFn:
    """z -> log p(z) + log p(x | z) up to a constant, [batch].

    Sums over the elements of x: an average would weaken the likelihood by
    their number. A seed of dropout, int32 [2], is for likelihoods that have
    it; the same mask serves all moves.
    """
    log_prior = prior_target(prior, condition)
    if dropout_seed is not None:
        # Masks are drawn for all rows at once.
        return lambda z: log_prior(z) + likelihood.log_prob(
            x, z, dropout_seed, **given(likelihood, condition))

    def log_prob(z, rows):
        x, conditions = rows  # None is no nest.
        condition = conditions[0] if conditions else None
        return (prior_target(prior, condition)(z)
                + likelihood.log_prob(x, z, **given(likelihood, condition)))
    return Target(log_prob, (x, () if condition is None else (condition,)))


def joint_target(target: LogProbFn, density: Any, value: tf.Tensor
                 ) -> LogProbFn:
    """The target, times p(value | z).

    Args:
        target: z -> [batch].
        density: With `log_prob(value, z)`, [batch].
        value: [batch, ...].
    """
    if not isinstance(target, Target):
        return lambda z: target(z) + density.log_prob(value, z)

    def log_prob(z, rows):
        rows, value = rows
        return target.log_prob(z, rows) + density.log_prob(value, z)
    return Target(log_prob, (target.rows, value))


def tempered(target: LogProbFn, temperature: float | tf.Tensor) -> LogProbFn:
    """The target at a temperature T > 0, [] or [batch]: log p / T."""
    if not isinstance(target, Target):
        return lambda z: target(z) / temperature
    if not getattr(getattr(temperature, "shape", None), "rank", 0):
        return Target(lambda z, rows: target.log_prob(z, rows) / temperature,
                      target.rows)

    def log_prob(z, rows):
        rows, temperature = rows
        return target.log_prob(z, rows) / temperature
    return Target(log_prob, (target.rows, temperature))
