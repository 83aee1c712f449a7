"""Penalties that keep a deterministic autoencoder smooth."""

from typing import Any

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.samplers.draws import Draws


def latent_penalty(model: Any, draws: Draws) -> tf.Tensor:
    """Batch mean of |z+|^2 / 2, which keeps codes near the origin."""
    z = draws.positive.position
    return 0.5 * tf.reduce_mean(tf.reduce_sum(tf.square(z), axis=-1))


def weight_penalty(model: Any, draws: Draws) -> tf.Tensor:
    """Sum of squares of all weights of the generator, without biases.

    The regularizer L2 of Ghosh et al. 2020, arXiv:1903.12436.
    """
    return tf.add_n([
        tf.reduce_sum(tf.square(variable)) for variable in
        model.likelihood.generator.trainable_variables
        if len(variable.shape) > 1])


def gradient_penalty(model: Any, draws: Draws) -> tf.Tensor:
    """Batch mean of |dg(z+)/dz|^2, summed over all elements.

    The regularizer GP of Ghosh et al. 2020, arXiv:1903.12436. It is estimated
    by |J^T e|^2 with one e ~ N(0, I) per example, which is unbiased; the whole
    Jacobian would cost one pass per latent.
    """
    z = draws.positive.position
    with tf.GradientTape() as tape:
        tape.watch(z)
        mean = model.likelihood.mean(z)
        noise = rng.normal_like(mean, rng.stream(draws.seed, "gradient"))
        projected = tf.reduce_sum(mean * noise)
    slope = tape.gradient(projected, z)
    return tf.reduce_mean(tf.reduce_sum(tf.square(slope), axis=-1))
