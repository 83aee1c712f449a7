"""Transports from latents to observations: x = g(z), or g(u) with noise, z =
(u, e).

z determines x, so chains of an energy of x can run in z, where the base is N(0,
I). Nijkamp et al. 2022, arXiv:2006.06897 (ICLR 2022).
"""

import abc
import math

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.densities.contracts import Likelihood
from lebm_tf.densities.gaussian import log_normal
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng

_TOLERANCE = 1e-6  # For float32 rounding of pixels.
_LARGEST = 10_000  # Maximum number of examples for mean and scale.


class Transport(Likelihood):
    """A map z -> x, as a likelihood in which z determines x.

    Attributes:
        latent_dim: Dimension of z.
        shape: Shape of an observation.
        unit_bits: log2 of the number of pixel levels per unit of x in which
            densities are measured; 0 if they are measured in levels, and for
            vectors.
    """
    has_mean = True
    latent_dim: int
    shape: tuple
    unit_bits = 0.0

    @abc.abstractmethod
    def forward(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(x, log |dx/dz|), float [batch, *shape] and [batch], of z [batch,
        latent_dim]; images are not clipped to [-1, 1]."""

    @abc.abstractmethod
    def inverse(self, x: tf.Tensor, seed: rng.Seed) -> tf.Tensor:
        """z of x; the seed is for the part of z that x does not determine."""

    @abc.abstractmethod
    def log_density(self, x: tf.Tensor, seed: rng.Seed) -> tf.Tensor:
        """log q(x), or a lower bound of it, [batch] in nats."""

    def mean(self, z: tf.Tensor, *, condition=None) -> tf.Tensor:
        """x of z, float [batch, *shape]; images are clipped to [-1, 1]."""
        x, _ = self.forward(z)
        return tf.clip_by_value(x, -1.0, 1.0) if len(self.shape) == 3 else x

    def decode(self, z, seed, *, condition=None):
        """Same as `mean`; ignores the seed."""
        return self.mean(z)

    def log_prob(self, x, z, *, condition=None, seed=None) -> tf.Tensor:
        """-log |dx/dz| at the z of x, [batch] in nats."""
        return -self.forward(z)[1]

    def read(self, x) -> tf.Tensor:
        """Checks observations and converts them to floats; images must lie in
        [-1, 1].

        Raises:
            ValueError: If they are not floats, or leave that range.
        """
        x = tf.convert_to_tensor(x)
        if not x.dtype.is_floating:
            raise ValueError(
                "x must be floats, as in training (for images: "
                f"data.to_model(x), in [-1, 1]), got {x.dtype.name}.")
        x = tf.cast(x, keras.config.floatx())
        if len(self.shape) == 3 and tf.size(x):
            low, high = float(tf.reduce_min(x)), float(tf.reduce_max(x))
            if not max(-low, high) <= 1.0 + _TOLERANCE:
                raise ValueError(
                    "pixels must lie in [-1, 1] to be dequantized, got values "
                    f"from {low:g} to {high:g}.")
        return x

    def call(self, z):
        return self.mean(z)


@keras.saving.register_keras_serializable(package="lebm_tf")
class FlowTransport(Nested, Transport, keras.Model):
    """A flow: x = c + s f(z) for vectors; for images, its logistic function.

    Images are dequantized (Theis et al. 2016, arXiv:1511.01844): a pixel of
    level k becomes a uniform number in [k, k + 1), divided by the number of
    levels. It is moved towards 1/2 by `margin` and passed through a logit, as
    in RealNVP (arXiv:1605.08803, section 4.1). Densities of images are measured
    in levels of x, so -log p(x) / (D log 2) bounds the bits per dimension from
    above.

    Args:
        network: Layer f, z -> (f(z), log |det|), with `inverse` and `dim`.
        shape: Shape of an observation.
        num_levels: Number of pixel levels, from -1 to 1; 0 for vectors.
        margin: In [0, 0.5); the logit is of margin + (1 - 2 margin) x.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, network: keras.layers.Layer, shape: tuple,
                 num_levels: int = 0, margin: float = 0.05, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        if network.dim != math.prod(self.shape):
            raise ValueError("the flow must have dimension "
                             f"{math.prod(self.shape)}, got {network.dim}.")
        if num_levels == 1 or num_levels < 0 or (
                bool(num_levels) != (len(self.shape) == 3)):
            raise ValueError("num_levels must be >= 2 for images and 0 for "
                             f"vectors, got {num_levels}.")
        if not 0 <= margin < 0.5:
            raise ValueError(f"margin must lie in [0, 0.5), got {margin}.")
        self.network, self.latent_dim = network, network.dim
        self.num_levels, self.margin = num_levels, margin
        self.center, self.scale = (self.add_weight(
            name=name, shape=(network.dim,), initializer=initial,
            trainable=False) for name, initial in (
                ("center", "zeros"), ("scale", "ones")))
        self.built = True

    def forward(self, z):
        y, growth = self.network(z)
        y = self.center + self.scale * y
        growth += tf.reduce_sum(tf.math.log(self.scale))
        if not self.num_levels:
            return tf.reshape(y, [-1, *self.shape]), growth
        part = (tf.sigmoid(y) - self.margin) / (1.0 - 2.0 * self.margin)
        # log of the derivative of the level, num_levels * part - 1/2.
        constant = math.log(self.num_levels / (1.0 - 2.0 * self.margin))
        growth += tf.reduce_sum(
            constant - tf.nn.softplus(y) - tf.nn.softplus(-y), -1)
        level = self.num_levels * part - 0.5
        x = 2.0 * level / (self.num_levels - 1) - 1.0
        return tf.reshape(x, [-1, *self.shape]), growth

    def inverse(self, x, seed):
        y = (self._logits(x, seed) - self.center) / self.scale
        return self.network.inverse(y)[0]

    def log_density(self, x: tf.Tensor, seed: rng.Seed) -> tf.Tensor:
        """log q of dequantized images, or of vectors, [batch] in nats."""
        return self._log_density(self._logits(x, seed))

    def log_density_of(self, z: tf.Tensor) -> tf.Tensor:
        """log q at g(z), with gradients to the network's weights but not
        through g(z), [batch]."""
        y, _ = self.network(z)
        return self._log_density(tf.stop_gradient(
            self.center + self.scale * y))

    def adapt(self, data) -> None:
        """Sets mean and scale of the training data, once before training."""
        if np.any(np.asarray(self.scale) != 1.0):
            return
        x = tf.cast(data.to_model(data.x_train[:_LARGEST]),
                    self.variable_dtype)
        y = np.asarray(self._logits(x, rng.make_seed(0)), np.float64)
        self.center.assign(y.mean(0))
        self.scale.assign(y.std(0) + 1e-3)

    def _logits(self, x, seed):
        flat = tf.reshape(x, [-1, self.latent_dim])
        if not self.num_levels:
            return flat
        level = tf.round((flat + 1.0) * (0.5 * (self.num_levels - 1)))
        rows = tf.shape(flat)[0] if flat.shape[0] is None else flat.shape[0]
        part = (level + rng.uniform([rows, self.latent_dim], seed, flat.dtype)
                ) / self.num_levels
        part = self.margin + (1.0 - 2.0 * self.margin) * part
        return tf.math.log(part) - tf.math.log1p(-part)

    def _log_density(self, y):
        z, growth = self.network.inverse((y - self.center) / self.scale)
        log_prob = growth + log_normal(z) - tf.reduce_sum(
            tf.math.log(self.scale))
        if self.num_levels:
            constant = math.log(self.num_levels / (1.0 - 2.0 * self.margin))
            log_prob += tf.reduce_sum(
                tf.nn.softplus(y) + tf.nn.softplus(-y) - constant, -1)
        return log_prob

    def get_config(self):
        return {**super().get_config(), "shape": self.shape,
                "num_levels": self.num_levels, "margin": self.margin,
                "network": keras.saving.serialize_keras_object(self.network)}


@keras.saving.register_keras_serializable(package="lebm_tf")
class GeneratorTransport(Nested, Transport, keras.Model):
    """A generator with its noise: x = g(u) + scale e, with z = (u, e) in one
    vector.

    It is not invertible: many z give one x. An encoder chooses u, and e is the
    residual; the density is that of x and u together.

    Args:
        generator: Layer g, u -> mean [batch, *shape].
        encoder: Density q(u | x) with `sample`, an `Encoder`.
        shape: Shape of an observation.
        generator_dim: Dimension of u, at least 1.
        noise_scale: Standard deviation > 0 of every element of x given u.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, generator: keras.layers.Layer, encoder: keras.Model,
                 shape: tuple, generator_dim: int, noise_scale: float,
                 **kwargs):
        super().__init__(**kwargs)
        if generator_dim < 1 or not noise_scale > 0:
            raise ValueError(
                "generator_dim must be >= 1 and noise_scale > 0, got "
                f"{generator_dim} and {noise_scale}.")
        self.generator, self.encoder = generator, encoder
        self.shape, self.generator_dim = tuple(shape), generator_dim
        self.noise_scale = noise_scale
        self.latent_dim = generator_dim + math.prod(self.shape)
        if len(self.shape) == 3:
            self.unit_bits = math.log2(127.5)  # Of 256 levels in [-1, 1].
        self.built = True

    def forward(self, z):
        size = self.latent_dim - self.generator_dim
        u, noise = tf.split(z, [self.generator_dim, size], -1)
        x = self.generator(u) + self.noise_scale * tf.reshape(
            noise, [-1, *self.shape])
        return x, tf.fill([tf.shape(z)[0]], tf.cast(
            size * math.log(self.noise_scale), z.dtype))

    def inverse(self, x, seed):
        u = self.encoder.sample(x, seed)
        noise = (x - self.generator(u)) / self.noise_scale
        return tf.concat([u, tf.reshape(
            noise, [-1, self.latent_dim - self.generator_dim])], -1)

    def log_density(self, x, seed):
        """The evidence bound from one sample of the encoder.

        Raises:
            ValueError: If the encoder has no density.
        """
        if not hasattr(self.encoder, "log_prob"):
            raise ValueError(
                "a bound of log q(x) needs an encoder with a density, got "
                f"{type(self.encoder).__name__}.")
        z = self.inverse(x, seed)
        return (log_normal(z) + self.log_prob(x, z) - self.encoder.log_prob(
            z[:, :self.generator_dim], x))

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "shape": self.shape,
                "generator_dim": self.generator_dim,
                "noise_scale": self.noise_scale,
                "generator": serialize(self.generator),
                "encoder": serialize(self.encoder)}


@keras.saving.register_keras_serializable(package="lebm_tf")
class TransportedEnergy(Nested, keras.layers.Layer):
    """E(g(z)): an energy of observations as one of latents.

    Args:
        network: Layer, x -> energies in nats [batch].
        transport: A `Transport`.

    Call arguments:
        z: Latents, float [batch, latent_dim].
    """

    def __init__(self, network: keras.layers.Layer, transport: keras.Model,
                 **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.network, self.transport, self.built = network, transport, True

    def call(self, z: tf.Tensor) -> tf.Tensor:
        return self.network(self.transport.forward(z)[0])

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "network": serialize(self.network),
                "transport": serialize(self.transport)}
