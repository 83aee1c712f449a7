"""Keep an encoder close to the prior."""

from typing import Any

import tensorflow as tf

from lebm_tf.densities.gaussian import log_normal
from lebm_tf.densities.targets import prior_target
from lebm_tf.objectives.objective import Draws


def gaussian_kl(model: Any, draws: Draws) -> tf.Tensor:
    """mean KL(q(z | x) || N(0, I)) in closed form, in nats.

    For positive states that an encoder drew (`samplers.Encoded`). Kingma and
    Welling 2014, arXiv:1312.6114, appendix B.
    """
    mean, log_scale = draws.positive.encoded
    terms = tf.square(mean) + tf.exp(2.0 * log_scale) - 2.0 * log_scale - 1.0
    return 0.5 * tf.reduce_mean(tf.reduce_sum(terms, axis=-1))


def kl_to_prior(model: Any, draws: Draws) -> tf.Tensor:
    """mean of log q(z+ | x) - log p(z+), with p unnormalized.

    For positive states that a Gaussian encoder drew (`samplers.Encoded`): one
    reparameterized draw an example; exact up to log Z, which does not depend
    on the encoder.
    """
    z = draws.positive_position
    log_prior = prior_target(model.prior, draws.batch.get("condition"))
    return tf.reduce_mean(
        log_normal(z, *draws.positive.encoded) - log_prior(z))
