"""Noised states and their noisier neighbours."""

from typing import Sequence

import tensorflow as tf

from lebm_tf.densities.noise_levels import NoiseLevels
from lebm_tf.mcmc import rng


def neighbours(levels: NoiseLevels, x: tf.Tensor, level: tf.Tensor,
               noise: tf.Tensor, more: tf.Tensor | None
               ) -> tuple[tf.Tensor, tf.Tensor]:
    """The state b_{t+1} x_t of level t, and its noisier neighbour x_{t+1}.

    Args:
        levels: Noise levels.
        x: Observations [batch, ...].
        level: t, int32 [batch].
        noise: Noise of x_t, standard normal, like x.
        more: Additional noise of x_{t+1}. None if x_{t+1} has the noise of x_t
            at a larger scale, as in Zhu et al. 2024, arXiv:2309.05153: its
            distribution is unchanged, and its difference from x_t varies less.
    """
    def at(numbers, index=level):
        return rows(numbers, index, x)
    x_t = at(levels.total_factors) * x + at(levels.total_scales) * noise
    if more is None:
        above = (at(levels.total_factors, level + 1) * x
                 + at(levels.total_scales, level + 1) * noise)
    else:
        above = (at(levels.factors, level + 1) * x_t
                 + at(levels.scales, level + 1) * more)
    return at(levels.model_factors, level + 1) * x_t, above


def draw_neighbours(levels: NoiseLevels, x: tf.Tensor, seed: rng.Seed,
                    shares_noise: bool = False
                    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """(level, state, noisier neighbour) at a uniform random level for each row.

    Args:
        levels: Noise levels.
        x: Observations [batch, ...].
        seed: int32 [2].
        shares_noise: Whether both have the same noise.
    """
    uniform = rng.uniform(tf.shape(x)[:1], rng.stream(seed, "level"))
    level = tf.minimum(tf.cast(levels.num_levels * uniform, tf.int32),
                       levels.num_levels - 1)
    more = None if shares_noise else rng.normal_like(
        x, rng.stream(seed, "more"))
    return (level, *neighbours(levels, x, level, rng.normal_like(
        x, rng.stream(seed, "noise")), more))


def rows(numbers: Sequence[float], index: tf.Tensor, like: tf.Tensor
         ) -> tf.Tensor:
    """Selects a number per row, [batch, 1, ...], or one for all, [], with the
    dtype and rank of `like`.

    Args:
        numbers: One number for each index.
        index: Integer [batch] or [].
        like: [batch, ...].
    """
    found = tf.gather(tf.constant(numbers, like.dtype), index)
    if not index.shape.rank:
        return found
    return tf.reshape(found, [-1] + [1] * (like.shape.rank - 1))
