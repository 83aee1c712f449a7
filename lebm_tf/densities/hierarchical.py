"""Top-down Gaussian layers: a prior of several latent vectors."""

import keras
import tensorflow as tf

from lebm_tf.densities.contracts import Base
from lebm_tf.densities.gaussian import log_normal
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng


@keras.saving.register_keras_serializable(package="lebm_tf")
class TopDownGaussian(Nested, Base, keras.Model):
    """p(z) = N(zL; 0, t^2) prod_i N(zi; mean_i(zi+1), scale_i(zi+1)^2).

    z is a nest (z1, ..., zL), with z1 next to the data. Cui et al. 2023,
    arXiv:2306.06323, whose code has scale = exp(h) + floor.

    Args:
        networks: Layers, zi+1 -> (mean, h) of zi, from z1 upwards.
        top_dim: Dimension of zL, at least 1.
        top_scale: Standard deviation t > 0 of zL.
        scale_floor: Minimum standard deviation > 0 of the other layers.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, networks, top_dim: int, top_scale: float = 1.0,
                 scale_floor: float = 0.01, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("top_scale", top_scale),
                            ("scale_floor", scale_floor)):
            if not value > 0:
                raise ValueError(f"{name} must be > 0, got {value}.")
        if top_dim < 1:
            raise ValueError(f"top_dim must be >= 1, got {top_dim}.")
        self.networks, self.top_dim = list(networks), top_dim
        self.top_scale, self.scale_floor = top_scale, scale_floor
        self.built = True

    def parameters(self, layer: int, above: tf.Tensor
                   ) -> tuple[tf.Tensor, tf.Tensor]:
        """(mean, scale) of layer 0, 1, ..., given the layer above."""
        mean, log_scale = self.networks[layer](above)
        return mean, tf.exp(log_scale) + self.scale_floor

    def sample(self, num_samples, seed: rng.Seed) -> tuple[tf.Tensor, ...]:
        """Samples (z1, ..., zL), each [num_samples, width]."""
        top = len(self.networks)
        z = [self.top_scale * rng.normal(
            [num_samples, self.top_dim], rng.stream(seed, f"z{top + 1}"),
            self.variable_dtype)]
        for layer in reversed(range(top)):
            mean, scale = self.parameters(layer, z[0])
            noise = rng.normal_like(mean, rng.stream(seed, f"z{layer + 1}"))
            z.insert(0, mean + scale * noise)
        return tuple(z)

    def to_noise(self, z: tuple) -> tuple[tf.Tensor, ...]:
        """Noise (e1, ..., eL), each like its layer; N(0, I) if z is a sample.
        """
        noise = []
        for layer, (below, above) in enumerate(zip(z, z[1:])):
            mean, scale = self.parameters(layer, above)
            noise.append((below - mean) / scale)
        return (*noise, z[-1] / self.top_scale)

    def from_noise(self, noise: tuple) -> tuple[tf.Tensor, ...]:
        """z of (e1, ..., eL); the inverse of `to_noise`."""
        z = [self.top_scale * noise[-1]]
        for layer in reversed(range(len(self.networks))):
            mean, scale = self.parameters(layer, z[0])
            z.insert(0, mean + scale * noise[layer])
        return tuple(z)

    def log_prob_of_layers(self, z: tuple) -> tuple[tf.Tensor, ...]:
        """log p(zi | zi+1) of every layer, and log p(zL); each [batch], in
        nats."""
        terms = []
        for layer, (below, above) in enumerate(zip(z, z[1:])):
            mean, scale = self.parameters(layer, above)
            terms.append(log_normal(below, mean, tf.math.log(scale)))
        top = tf.math.log(tf.constant(self.top_scale, z[-1].dtype))
        return (*terms, log_normal(z[-1], 0.0, top))

    def log_prob(self, z: tuple) -> tf.Tensor:
        """Normalized log density of all layers, [batch] in nats."""
        return tf.add_n(self.log_prob_of_layers(z))

    def call(self, z):
        return self.log_prob(z)

    def get_config(self):
        return {**super().get_config(), "top_dim": self.top_dim,
                "top_scale": self.top_scale, "scale_floor": self.scale_floor,
                "networks": [keras.saving.serialize_keras_object(network)
                             for network in self.networks]}
