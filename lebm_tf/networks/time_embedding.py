"""Sinusoidal embedding of a time or noise level."""

import math

import tensorflow as tf


def sinusoidal_embedding(times: tf.Tensor, width: int, base: float = 10_000.0,
                         *, in_turn: bool = False) -> tf.Tensor:
    """[sin(t w_k), cos(t w_k)] with w_k = base^(-k / (width / 2 - 1)).

    The positional encoding of Vaswani et al. 2017, arXiv:1706.03762, section
    3.5, with all sines before all cosines, as in diffusion networks.

    Args:
        times: float [batch]; a time in [0, 1] is commonly multiplied by 1,000.
        width: Width of the embedding, even, at least 4.
        base: Ratio > 1 of the longest to the shortest wave.
        in_turn: Whether sines and cosines alternate, with w_k = base^(-k /
            (width / 2)), as in that paper.

    Returns:
        float [batch, width].

    Raises:
        ValueError: If `width` is odd or below 4.
    """
    if width < 4 or width % 2:
        raise ValueError(f"width must be even and >= 4, got {width}.")
    half = width // 2
    rates = tf.exp(tf.range(half, dtype=times.dtype) * (
        -math.log(base) / (half if in_turn else half - 1)))
    angles = times[:, None] * rates
    if in_turn:
        pairs = tf.stack([tf.sin(angles), tf.cos(angles)], -1)
        return tf.reshape(pairs, [-1, width])
    return tf.concat([tf.sin(angles), tf.cos(angles)], -1)
