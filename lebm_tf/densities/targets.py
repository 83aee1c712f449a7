"""Targets: functions of a state that chains climb."""

from typing import Any

import tensorflow as tf

from lebm_tf.mcmc.kernel import LogProbFn


def prior_target(prior: Any, condition=None) -> LogProbFn:
    """z -> log p(z) up to a constant, [batch].

    Args:
        prior: An `EnergyPrior`, or a base with a normalized `log_prob`.
        condition: What the prior is conditioned on, if anything.
    """
    if hasattr(prior, "unnormalized_log_prob"):
        return lambda z: prior.unnormalized_log_prob(z, condition)
    return prior.log_prob


def posterior_target(prior: Any, likelihood: Any, x: Any, condition=None,
                     dropout_seed=None) -> LogProbFn:
    """z -> log p(z) + log p(x | z) up to a constant, [batch].

    Sums over the elements of x: an average would weaken the likelihood by
    their number. A seed of dropout, int32 [2], is for likelihoods that have
    it; the same mask serves all moves.
    """
    log_prior = prior_target(prior, condition)
    if dropout_seed is not None:
        return lambda z: log_prior(z) + likelihood.log_prob(
            x, z, dropout_seed)
    return lambda z: log_prior(z) + likelihood.log_prob(x, z)


def tempered(log_prob_fn: LogProbFn, temperature: float | tf.Tensor
             ) -> LogProbFn:
    """The target at a temperature T > 0: log p / T."""
    return lambda z: log_prob_fn(z) / temperature
