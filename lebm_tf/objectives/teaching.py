"""Fit a fast sampler to the states that a chain refined."""

from typing import Any

import tensorflow as tf

from lebm_tf.samplers.draws import Draws


def attribute_negative_log_likelihood(model: Any, draws: Draws) -> tf.Tensor:
    """mean of -log p(y | z+), in nats; y is batch["attribute"]."""
    return -tf.reduce_mean(model.attribute.log_prob(
        draws.batch["attribute"], draws.positive.position))


def encoder_teaching(model: Any, draws: Draws) -> tf.Tensor:
    """mean of -log q(z+ | x), in nats: the encoder learns the posterior.

    Minimizes KL(chain || q); the refined states are constants.
    """
    z = tf.nest.map_structure(tf.stop_gradient, draws.positive.position)
    return -draws.mean(model.encoder.log_prob(
        z, draws.batch["x"],
        condition=draws.batch.get("condition")))
