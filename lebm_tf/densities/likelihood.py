"""Gaussian observation model p(x | z)."""

import math

import keras
import tensorflow as tf

from lebm_tf.densities.contracts import Likelihood, given
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position


@tf.custom_gradient
def _squared_norm(x):
    """Squared norm of every row, [batch].

    TensorFlow's gradient of a sum writes an array of ones as large as x, a cost
    at every move of a chain.
    """
    def gradient(upstream):
        return 2.0 * tf.reshape(upstream, [-1] + [1] * (x.shape.rank - 1)) * x
    return tf.reduce_sum(tf.square(x), list(range(1, x.shape.rank))), gradient


@keras.saving.register_keras_serializable(package="lebm_tf")
class GaussianLikelihood(Nested, Likelihood, keras.Model):
    """p(x | z) = N(g(z), scale^2 I), for images and vectors.

    Args:
        generator: Layer g, z -> mean [batch, ...].
        scale: Standard deviation > 0 of every element, in units of x.
        learn_scale: Whether the standard deviation is trained, starting at
            `scale`: the gamma of Dai and Wipf 2019, arXiv:1903.05789.
        is_conditional: Whether the generator is called as g(z, condition=c).

    Raises:
        ValueError: If `scale` is not positive.
    """

    has_mean = has_distance = True

    def __init__(self, generator: keras.layers.Layer, scale: float,
                 learn_scale: bool = False, is_conditional: bool = False,
                 **kwargs):
        super().__init__(**kwargs)
        if not scale > 0:
            raise ValueError(f"scale must be > 0, got {scale}.")
        self.generator, self.first_scale = generator, scale
        self.learn_scale, self.is_conditional = learn_scale, is_conditional
        self.log_scale = math.log(scale) if not learn_scale else (
            self.add_weight(name="log_scale", shape=(), initializer=(
                keras.initializers.Constant(math.log(scale)))))
        self.built = True

    @property
    def scale(self) -> float | tf.Tensor:
        """Standard deviation of every element, []."""
        return tf.exp(self.log_scale) if self.learn_scale else self.first_scale

    def mean(self, z: Position, *, condition=None) -> tf.Tensor:
        """g(z), float [batch, ...]."""
        return self.generator(z, **given(self, condition))

    def sample(self, z: Position, seed: rng.Seed, *, condition=None
               ) -> tf.Tensor:
        """g(z) with observation noise, float [batch, ...]."""
        mean = self.mean(z, condition=condition)
        return mean + self.scale * rng.normal_like(mean, seed)

    def decode(self, z: Position, seed: rng.Seed, *, condition=None
               ) -> tf.Tensor:
        """g(z); ignores the seed."""
        return self.mean(z, condition=condition)

    def explain(self, x: tf.Tensor, z: Position, *, condition=None
                ) -> tuple[tf.Tensor, tf.Tensor]:
        """(log p(x | z), |x - g(z)|^2), each float [batch]."""
        error = self.squared_error(x, z, condition=condition)
        return self.log_prob_of_error(error, x), error

    def read(self, x) -> tf.Tensor:
        """Checks observations and converts them to floats [batch, ...].

        Raises:
            ValueError: If they are not floats.
        """
        x = tf.convert_to_tensor(x)
        if not x.dtype.is_floating:
            raise ValueError(
                "x must be floats, as in training (for images: "
                f"data.to_model(x), in [-1, 1]), got {x.dtype.name}.")
        return tf.cast(x, keras.config.floatx())

    def squared_error(self, x: tf.Tensor, z: Position, *, condition=None
                      ) -> tf.Tensor:
        """|x - g(z)|^2, summed over the elements of x, float [batch]."""
        mean = self.mean(z, condition=condition)
        if not mean.shape[1:].is_compatible_with(x.shape[1:]):
            raise ValueError(
                "the output of the generator must have the shape of x, "
                f"{x.shape.as_list()}, got {mean.shape.as_list()}.")
        return _squared_norm(x - mean)

    def log_prob(self, x: tf.Tensor, z: Position, *, condition=None,
                 seed: rng.Seed | None = None) -> tf.Tensor:
        """Normalized log density, float [batch], in nats."""
        return self.log_prob_of_error(
            self.squared_error(x, z, condition=condition), x)

    def log_prob_of_error(self, squared_error: tf.Tensor, x: tf.Tensor
                          ) -> tf.Tensor:
        """`log_prob`, given |x - g(z)|^2."""
        num_elements = math.prod(x.shape[1:])
        constant = 0.5 * math.log(2.0 * math.pi) + self.log_scale
        return (-0.5 / self.scale**2) * squared_error - num_elements * constant

    def call(self, z, condition=None):
        return self.mean(z, condition=condition)

    def get_config(self):
        return {**super().get_config(), "scale": self.first_scale,
                "learn_scale": self.learn_scale,
                "is_conditional": self.is_conditional, "generator":
                keras.saving.serialize_keras_object(self.generator)}
