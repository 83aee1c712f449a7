"""Gaussian densities: the base p0 and the encoder's q(z | x)."""

import math

import keras
import tensorflow as tf

from lebm_tf.densities.contracts import Base, Encoder, given
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng

_LOG_TWO_PI = math.log(2.0 * math.pi)


def log_normal(z: tf.Tensor, mean=0.0, log_scale=0.0) -> tf.Tensor:
    """log N(z; mean, exp(log_scale)^2), summed over all but the first axis.

    Args:
        z: float [batch, ...].
        mean, log_scale: Broadcast against `z`.

    Returns:
        float [batch], in nats.
    """
    log_scale = tf.cast(log_scale, z.dtype)
    error = (z - mean) * tf.exp(-log_scale)
    terms = -0.5 * tf.square(error) - 0.5 * _LOG_TWO_PI - log_scale
    return tf.reduce_sum(terms, list(range(1, z.shape.rank)))


def kl_to_standard_normal(mean: tf.Tensor, log_scale: tf.Tensor) -> tf.Tensor:
    """KL(N(mean, exp(log_scale)^2) || N(0, I)), float [batch], in nats.

    Kingma and Welling 2014, arXiv:1312.6114, appendix B. The arguments are
    float [batch, latent_dim].
    """
    terms = tf.square(mean) + tf.exp(2.0 * log_scale) - 2.0 * log_scale - 1.0
    return 0.5 * tf.reduce_sum(terms, axis=-1)


@keras.saving.register_keras_serializable(package="lebm_tf")
class StandardNormal(Base, keras.Model):
    """p0(z) = N(0, I), the usual base of an energy-based prior.

    Args:
        latent_dim: Dimension of z, at least 1; or the shape of one z, such as
            that of an image.
        scale: Standard deviation > 0 of every element, for N(0, scale^2 I).

    Raises:
        ValueError: If `latent_dim` is below 1, or `scale` is not positive.
    """

    def __init__(self, latent_dim: int | tuple[int, ...], scale: float = 1.0,
                 **kwargs):
        super().__init__(**kwargs)
        self.event_shape = (latent_dim,) if isinstance(latent_dim, int) else (
            tuple(latent_dim))
        if min(self.event_shape) < 1:
            raise ValueError(f"latent_dim must be >= 1, got {latent_dim}.")
        if not 0 < scale < math.inf:
            raise ValueError(f"scale must be > 0, got {scale}.")
        self.latent_dim, self.scale = latent_dim, scale
        self.built = True

    def sample(self, num_samples, seed: rng.Seed) -> tf.Tensor:
        """Samples z, float [num_samples, latent_dim]."""
        z = rng.normal([num_samples, *self.event_shape], seed,
                       self.variable_dtype)
        return z if self.scale == 1.0 else self.scale * z

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Normalized log density, [batch] in nats, of z [batch, latent_dim]."""
        # Not log_normal: chains evaluate this at every step.
        constant = math.prod(self.event_shape) * (
            0.5 * _LOG_TWO_PI + math.log(self.scale))
        factor = -0.5 / self.scale**2
        axes = [-1 - axis for axis in range(len(self.event_shape))]
        return factor * tf.reduce_sum(tf.square(z), axes) - constant

    def call(self, z):
        return self.log_prob(z)

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "scale": self.scale}


@keras.saving.register_keras_serializable(package="lebm_tf")
class PointEncoder(Nested, Encoder, keras.Model):
    """q(z | x) = delta(z - mean(x)), a deterministic encoder.

    Args:
        network: Layer, x -> mean [batch, latent_dim].
    """

    def __init__(self, network: keras.layers.Layer, **kwargs):
        super().__init__(**kwargs)
        self.network = network
        self.built = True

    def parameters(self, x: tf.Tensor, *, condition=None, seed=None
                   ) -> tuple[tf.Tensor]:
        """(mean,), [batch, latent_dim]."""
        return (self.network(x),)

    def sample_from(self, mean: tf.Tensor, seed: rng.Seed) -> tf.Tensor:
        """The mean; ignores the seed."""
        return mean

    def call(self, x):
        return self.network(x)

    def get_config(self):
        return {**super().get_config(),
                "network": keras.saving.serialize_keras_object(self.network)}


@keras.saving.register_keras_serializable(package="lebm_tf")
class ConditionalGaussian(Nested, Encoder, keras.Model):
    """q(z | x) = N(mean(x), scale(x)^2), with both from a network.

    Args:
        network: Layer, x -> (mean, log_scale), each [batch, latent_dim].
        is_conditional: Whether it is called as network(x, condition=c).
        says_log_variance: Whether the network returns (mean, log variance), as
            in the authors' programs; steps of Adam are then half as large in
            the log scale.
    """

    def __init__(self, network: keras.layers.Layer,
                 is_conditional: bool = False,
                 says_log_variance: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.network, self.is_conditional = network, is_conditional
        self.says_log_variance = says_log_variance
        self.built = True

    def parameters(self, x: tf.Tensor, *, condition=None,
                   seed: rng.Seed | None = None
                   ) -> tuple[tf.Tensor, tf.Tensor]:
        """(mean, log_scale), each [batch, latent_dim].

        Args:
            x: Observations, [batch, ...].
            condition: Condition of a conditional network.
            seed: Seed of dropout, if the network has any; None for no dropout.
        """
        # A user's network may have no dropout.
        rate = getattr(self.network, "dropout", 0.0)
        options = given(self, condition)
        if seed is not None and rate:
            options["drop"] = lambda values, name: values * rng.dropout_mask(
                tf.shape(values), rate, rng.stream(seed, name), values.dtype)
        mean, spread = self.network(x, **options)
        return mean, 0.5 * spread if self.says_log_variance else spread

    def sample_from(self, mean: tf.Tensor, log_scale: tf.Tensor,
                    seed: rng.Seed) -> tf.Tensor:
        """A reparameterized sample z = mean + scale e, [batch, latent_dim]."""
        return mean + tf.exp(log_scale) * rng.normal_like(mean, seed)

    def log_prob(self, z: tf.Tensor, x: tf.Tensor, *, condition=None,
                 seed: rng.Seed | None = None) -> tf.Tensor:
        """Normalized log density, [batch] in nats."""
        return self.log_prob_of(z, *self.parameters(
            x, condition=condition, seed=seed))

    def log_prob_of(self, z: tf.Tensor, mean: tf.Tensor, log_scale: tf.Tensor
                    ) -> tf.Tensor:
        """Normalized log density, [batch] in nats, given its parameters."""
        return log_normal(z, mean, log_scale)

    def call(self, x, condition=None):
        return self.parameters(x, condition=condition)

    def get_config(self):
        return {**super().get_config(),
                "is_conditional": self.is_conditional,
                "says_log_variance": self.says_log_variance, "network":
                keras.saving.serialize_keras_object(self.network)}
