"""What to look at before trusting chains."""

import tensorflow as tf
import tensorflow_probability as tfp

from lebm_tf.mcmc.kernel import Position, norm


def displacement(start: Position, end: Position) -> tf.Tensor:
    """Distance |z_K - z_0| travelled by every chain, float [chains]."""
    return norm(tf.nest.map_structure(lambda a, b: b - a, start, end))


def effective_sample_size(trace: tf.Tensor) -> tf.Tensor:
    """Independent draws that the chains are worth together.

    Args:
        trace: float [steps, chains, ...].

    Returns:
        float [...]; by Geyer's initial positive sequence, over all chains.
    """
    return tfp.mcmc.effective_sample_size(
        trace, filter_beyond_positive_pairs=True, cross_chain_dims=1)


def r_hat(trace: tf.Tensor) -> tf.Tensor:
    """Potential scale reduction of split chains: near 1 when they mixed.

    Args:
        trace: float [steps, chains, ...] with at least 2 chains.

    Returns:
        float [...].
    """
    return tfp.mcmc.potential_scale_reduction(
        trace, independent_chain_ndims=1, split_chains=True)
