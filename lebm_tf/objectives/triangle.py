"""Losses of the divergence triangle.

Han et al. 2019, arXiv:1812.10907; the terms are those of train_cifar10.py of
the public code, with its sums and means.
"""

import dataclasses
from typing import Any

import tensorflow as tf

from lebm_tf.samplers.draws import Draws

_SMALLEST = 1e-6  # Added to variances, as published.


def normalized_error(model: Any, draws: Draws) -> tf.Tensor:
    """Batch mean of |x - g(z+)|^2, with batch norm in training mode, which
    updates its moving statistics."""
    mean = model.likelihood.generator(
        draws.positive.position, training=True, remember=True)
    return draws.mean(tf.reduce_sum(
        tf.square(draws.batch["x"] - mean), [1, 2, 3]))


def averaged_kl(model: Any, draws: Draws) -> tf.Tensor:
    """KL(q(z | x) || N(0, I)), averaged over batch and dimensions: the KL
    divided by the dimension of z."""
    mean, log_scale = draws.positive.encoded
    return 0.5 * draws.mean(tf.reduce_mean(
        tf.square(mean) + tf.exp(2.0 * log_scale) - 2.0 * log_scale - 1.0,
        -1))


def with_samples(model: Any, draws: Draws) -> Draws:
    """Adds g(z) of the samples' latents, on the tape, to the draws as
    "samples".

    A `prepare` function of `Objective`; does not update batch-norm statistics.
    """
    (z,) = draws.negative.encoded
    return draws._replace(shared={**draws.shared, "samples": (
        model.likelihood.generator(z, training=True))})


def _samples(draws):
    return draws.shared.get("samples", draws.negative.position)


def latent_error(model: Any, draws: Draws) -> tf.Tensor:
    """mean of -log q(z | g(z)), without its constant.

    It uses the images of `with_samples` if present, else the samples as drawn.
    """
    (z,) = draws.negative.encoded
    mean, log_scale = model.encoder.parameters(_samples(draws))
    variance = tf.exp(2.0 * log_scale) + _SMALLEST
    return draws.mean(tf.reduce_sum(
        log_scale + 0.5 * tf.square(z - mean) / variance, -1))


@dataclasses.dataclass(frozen=True)
class SampleEnergy:
    """mean E(g(z)): the adversarial loss of a generator.

    Attributes:
        prior: Prior with the energy.
    """
    prior: Any

    def __call__(self, model: Any, draws: Draws) -> tf.Tensor:
        return draws.mean(self.prior.energy(_samples(draws)))
