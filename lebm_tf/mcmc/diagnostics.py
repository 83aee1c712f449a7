"""Convergence diagnostics of chains."""

import tensorflow as tf

from lebm_tf.mcmc.kernel import Position, norm


def displacement(start: Position, end: Position) -> tf.Tensor:
    """Distance |z_K - z_0| of every chain, float [chains]."""
    return norm(tf.nest.map_structure(lambda a, b: b - a, start, end))


def effective_sample_size(trace: tf.Tensor) -> tf.Tensor:
    """Effective sample size over all chains, by Geyer's initial positive
    sequence.

    Args:
        trace: float [steps, chains, ...].

    Returns:
        float [...].
    """
    import tensorflow_probability as tfp  # Slow, and seldom needed.
    return tfp.mcmc.effective_sample_size(
        trace, filter_beyond_positive_pairs=True, cross_chain_dims=1)


def r_hat(trace: tf.Tensor) -> tf.Tensor:
    """Potential scale reduction of split chains; near 1 for mixed chains.

    Args:
        trace: float [steps, chains, ...] with at least 2 chains.

    Returns:
        float [...].
    """
    import tensorflow_probability as tfp  # Slow, and seldom needed.
    return tfp.mcmc.potential_scale_reduction(
        trace, independent_chain_ndims=1, split_chains=True)
