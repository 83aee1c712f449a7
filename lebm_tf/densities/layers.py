"""Latents of several layers: an independent base, and encoders of all layers.

Every density takes and returns a nest (z1, ..., zL), with z1 next to the data.
"""

import math

import keras
import tensorflow as tf

from lebm_tf.densities.contracts import Base, Encoder
from lebm_tf.densities.gaussian import log_normal
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng


@keras.saving.register_keras_serializable(package="lebm_tf")
class LayeredNormal(Base, keras.Model):
    """p0(z) = prod_i N(zi; 0, I), with independent layers.

    Args:
        shapes: Shape of a row of every layer, at least one: the dimension of a
            vector, or the shape of a feature map.

    Raises:
        ValueError: If there are no shapes, or a number is below 1.
    """

    def __init__(self, shapes, **kwargs):
        super().__init__(**kwargs)
        self.shapes = tuple(
            (shape,) if isinstance(shape, int) else tuple(shape)
            for shape in shapes)
        if min((min(shape) for shape in self.shapes), default=0) < 1:
            raise ValueError("shapes must hold at least one shape of numbers "
                             f">= 1, got {self.shapes}.")
        self.built = True

    def sample(self, num_samples, seed: rng.Seed) -> tuple[tf.Tensor, ...]:
        """Samples (z1, ..., zL), each [num_samples, *shape]."""
        return tuple(
            rng.normal([num_samples, *shape], rng.stream(seed, f"z{i + 1}"),
                       self.variable_dtype)
            for i, shape in enumerate(self.shapes))

    def to_noise(self, z: tuple) -> tuple[tf.Tensor, ...]:
        """z itself, since its layers are standard normal."""
        return tuple(z)

    def from_noise(self, noise: tuple) -> tuple[tf.Tensor, ...]:
        """The noise itself, the inverse of `to_noise`."""
        return tuple(noise)

    def log_prob(self, z: tuple) -> tf.Tensor:
        """Normalized log density of all layers, [batch] in nats."""
        squares = tf.add_n([tf.reduce_sum(
            tf.square(leaf), list(range(1, leaf.shape.rank))) for leaf in z])
        width = sum(math.prod(shape) for shape in self.shapes)
        return -0.5 * squares - 0.5 * width * math.log(2.0 * math.pi)

    def call(self, z):
        return self.log_prob(z)

    def get_config(self):
        return {**super().get_config(), "shapes": self.shapes}


@keras.saving.register_keras_serializable(package="lebm_tf")
class LayeredGaussian(Nested, Encoder, keras.Model):
    """q(z | x) = prod_i N(zi; mean_i(x), scale_i(x)^2), all layers at once.

    Args:
        network: Layer, x -> (means, log_scales), each a tuple of float [batch,
            width] for every layer.
    """

    def __init__(self, network: keras.layers.Layer, **kwargs):
        super().__init__(**kwargs)
        self.network, self.built = network, True

    def parameters(self, x: tf.Tensor, *, condition=None, seed=None
                   ) -> tuple[tuple, tuple]:
        """(means, log_scales), each a tuple of [batch, width]."""
        return self.network(x)

    def sample_from(self, means: tuple, log_scales: tuple, seed: rng.Seed
                    ) -> tuple[tf.Tensor, ...]:
        """A reparameterized sample (z1, ..., zL)."""
        return tuple(
            mean + tf.exp(log_scale) * rng.normal_like(
                mean, rng.stream(seed, f"z{i + 1}"))
            for i, (mean, log_scale) in enumerate(zip(means, log_scales)))

    def log_prob_of(self, z: tuple, means: tuple, log_scales: tuple
                    ) -> tf.Tensor:
        """Normalized log density, [batch] in nats, given its parameters."""
        return tf.add_n([log_normal(*layer)
                         for layer in zip(z, means, log_scales)])

    def log_prob(self, z: tuple, x: tf.Tensor, *, condition=None, seed=None
                 ) -> tf.Tensor:
        """Normalized log density, [batch] in nats."""
        return self.log_prob_of(z, *self.parameters(x))

    def call(self, x):
        return self.parameters(x)

    def get_config(self):
        return {**super().get_config(), "network":
                keras.saving.serialize_keras_object(self.network)}


@keras.saving.register_keras_serializable(package="lebm_tf")
class BottomUpGaussian(Nested, Encoder, keras.Model):
    """q(z | x) = q(z1 | x) prod_i q(zi+1 | zi), Gaussians from the data up.

    The inference model of Cui et al. 2023, arXiv:2306.06323; standard
    deviations are exp(h) + floor, as in the networks of their code.

    Args:
        network: Layer, x -> (mean, h) of z1, each [batch, width].
        networks: Layers, zi -> (mean, h) of zi+1, from z1 upwards.
        scale_floor: Minimum standard deviation > 0.

    Raises:
        ValueError: If `scale_floor` is not positive.
    """

    def __init__(self, network: keras.layers.Layer, networks,
                 scale_floor: float = 0.01, **kwargs):
        super().__init__(**kwargs)
        if not scale_floor > 0:
            raise ValueError(f"scale_floor must be > 0, got {scale_floor}.")
        self.network, self.networks = network, list(networks)
        self.scale_floor, self.built = scale_floor, True

    def parameters(self, x: tf.Tensor, *, condition=None, seed=None
                   ) -> tuple[tf.Tensor, tf.Tensor]:
        """(mean, log standard deviation) of z1, from which the others follow.
        """
        return self._with_floor(*self.network(x))

    def sample_from(self, mean: tf.Tensor, log_scale: tf.Tensor,
                    seed: rng.Seed) -> tuple[tf.Tensor, ...]:
        """A reparameterized sample (z1, ..., zL)."""
        z: list[tf.Tensor] = []
        for i in range(len(self.networks) + 1):
            if i:
                mean, log_scale = self._with_floor(*self.networks[i - 1](z[-1]))
            z.append(mean + tf.exp(log_scale) * rng.normal_like(
                mean, rng.stream(seed, f"z{i + 1}")))
        return tuple(z)

    def log_prob_of(self, z: tuple, mean: tf.Tensor, log_scale: tf.Tensor
                    ) -> tf.Tensor:
        """Normalized log density, [batch] in nats, given its parameters."""
        terms = [log_normal(z[0], mean, log_scale)]
        for network, below, layer in zip(self.networks, z, z[1:]):
            terms.append(log_normal(layer, *self._with_floor(*network(below))))
        return tf.add_n(terms)

    def log_prob(self, z: tuple, x: tf.Tensor, *, condition=None, seed=None
                 ) -> tf.Tensor:
        """Normalized log density, [batch] in nats."""
        return self.log_prob_of(z, *self.parameters(x))

    def _with_floor(self, mean, h):
        return mean, tf.math.log(tf.exp(h) + self.scale_floor)

    def call(self, x):
        return self.parameters(x)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), "scale_floor": self.scale_floor,
                "network": serialize(self.network),
                "networks": [serialize(network) for network in self.networks]}
