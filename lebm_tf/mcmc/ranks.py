"""Rank-based diagnostics, robust to heavy tails and different scales.

Vehtari et al. 2021, arXiv:1903.08008: chains are split in halves, values are
replaced by normal scores of their ranks, and tails are examined separately. No
such diagnostic detects a mode that no chain visited, or a biased kernel:
compare the weights of modes with a reference that uses no chains.
"""

import tensorflow as tf

from lebm_tf.mcmc.diagnostics import effective_sample_size

_MIN_RECORDS = 4


def split_r_hat(trace: tf.Tensor) -> tf.Tensor:
    """sqrt(((n - 1) / n W + B / n) / W) of half chains of n records, with the
    variance W within chains and B / n of their means.

    `diagnostics.r_hat` is TFP's, which is about the square of it.

    Args:
        trace: float [records, chains, ...], at least 4 records and 2 chains.

    Returns:
        float [...]; NaN for constant values.

    Raises:
        ValueError: If there are fewer records or chains.
    """
    halves = _halves(trace)
    num = tf.cast(tf.shape(halves)[0], halves.dtype)
    within = tf.reduce_mean(_variance(halves), 0)
    between = _variance(tf.reduce_mean(halves, 0))
    return tf.sqrt(((num - 1.0) / num * within + between) / within)


def rank_r_hat(trace: tf.Tensor) -> tf.Tensor:
    """The larger R-hat of ranks, and of ranks of |x - median|.

    Arguments and result as in `split_r_hat`; it should be below 1.01.
    """
    trace = tf.convert_to_tensor(trace)
    folded = tf.abs(trace - _quantile(trace, 0.5))
    return tf.maximum(split_r_hat(normal_scores(trace)),
                      split_r_hat(normal_scores(folded)))


def bulk_effective_sample_size(trace: tf.Tensor) -> tf.Tensor:
    """Effective sample size for the bulk of the distribution.

    Args:
        trace: As in `split_r_hat`.
    """
    return effective_sample_size(_halves(normal_scores(trace)))


def tail_effective_sample_size(trace: tf.Tensor) -> tf.Tensor:
    """Effective sample size for the tails: the smaller one of the 5 % and 95 %
    quantiles."""
    trace = tf.convert_to_tensor(trace)
    return tf.minimum(*(effective_sample_size(_halves(tf.cast(
        trace <= _quantile(trace, part), trace.dtype)))
        for part in (0.05, 0.95)))


def normal_scores(trace: tf.Tensor) -> tf.Tensor:
    """Quantiles of N(0, 1) at the ranks among all records of all chains.

    Args:
        trace: float [records, chains, ...]; ties share their mean rank.
    """
    trace = tf.convert_to_tensor(trace)
    flat = _columns(trace)
    ordered = tf.sort(flat, -1)
    ranks = 0.5 * tf.cast(
        1 + tf.searchsorted(ordered, flat, "left")
        + tf.searchsorted(ordered, flat, "right"), trace.dtype)
    count = tf.cast(tf.shape(flat)[-1], trace.dtype)
    scores = tf.math.ndtri((ranks - 0.375) / (count + 0.25))
    return tf.reshape(tf.transpose(scores), tf.shape(trace))


def _halves(trace):
    """[records // 2, 2 chains, ...]; drops the middle record of an odd number.
    """
    trace = tf.convert_to_tensor(trace)
    records, chains = trace.shape[:2]
    if chains < 2 or records < _MIN_RECORDS:
        raise ValueError(
            f"R-hat needs at least 2 chains and {_MIN_RECORDS} records per "
            f"chain, got {chains} and {records}.")
    half = records // 2
    return tf.concat([trace[:half], trace[records - half:]], 1)


def _variance(values):
    """Unbiased variance along the first axis."""
    num = tf.cast(tf.shape(values)[0], values.dtype)
    return tf.math.reduce_variance(values, 0) * num / (num - 1.0)


def _columns(trace):
    """[numbers, records * chains]."""
    return tf.transpose(tf.reshape(
        trace, [tf.reduce_prod(tf.shape(trace)[:2]), -1]))


def _quantile(trace, part):
    """Quantile of every number over all records and chains, [...]."""
    ordered = tf.sort(_columns(trace), -1)
    place = part * tf.cast(tf.shape(ordered)[-1] - 1, trace.dtype)
    low = tf.cast(tf.floor(place), tf.int32)
    high = tf.minimum(low + 1, tf.shape(ordered)[-1] - 1)
    share = place - tf.floor(place)
    found = ((1.0 - share) * tf.gather(ordered, low, axis=-1)
             + share * tf.gather(ordered, high, axis=-1))
    return tf.reshape(found, tf.shape(trace)[2:])
