"""Density of a number y, such as a property of a molecule, given z."""

import math

import keras
import tensorflow as tf

from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc.kernel import Position

OUTPUTS = ("linear", "sigmoid")


@keras.saving.register_keras_serializable(package="lebm_tf")
class GaussianAttribute(Nested, keras.Model):
    """p(y | z) = N(y; s(z), scale^2) of a number y.

    Kong et al. 2023, arXiv:2306.14902 (SGDS), whose public code weights the
    squared error by 10: scale^2 = 0.05.

    Args:
        network: Layer, z -> [batch, 1].
        scale: Standard deviation > 0, in units of y.
        output: linear, or sigmoid for y in [0, 1].

    Raises:
        ValueError: If `scale` is not positive, or `output` is unknown.
    """

    def __init__(self, network: keras.layers.Layer, scale: float = 0.05**0.5,
                 output: str = "linear", **kwargs):
        super().__init__(**kwargs)
        if not scale > 0:
            raise ValueError(f"scale must be > 0, got {scale}.")
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(OUTPUTS)}, "
                             f"got {output!r}.")
        self.network, self.scale, self.output_kind = network, scale, output
        self.built = True

    def mean(self, z: Position) -> tf.Tensor:
        """s(z), float [batch]."""
        value = self.network(z)[:, 0]
        return tf.sigmoid(value) if self.output_kind == "sigmoid" else value

    def log_prob(self, y: tf.Tensor, z: Position) -> tf.Tensor:
        """log p(y | z), float [batch], of y, float [batch]."""
        error = (y - self.mean(z)) / self.scale
        return -0.5 * tf.square(error) - math.log(
            self.scale * math.sqrt(2.0 * math.pi))

    def call(self, z, y):
        return self.log_prob(y, z)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale,
                "output": self.output_kind, "network":
                keras.saving.serialize_keras_object(self.network)}
