"""The encoder of a Gaussian hierarchy, in the coordinates of its noise."""

from typing import Any

import keras
import tensorflow as tf

from lebm_tf.densities.contracts import Encoder
from lebm_tf.densities.gaussian import log_normal
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng


@keras.saving.register_keras_serializable(package="lebm_tf")
class NoiseEncoder(Nested, Encoder, keras.Model):
    """q(e | x) = prod_i N(ei; m_i, exp(h_i)^2), each given x and those drawn
    before.

    e is the noise of all groups, z_i = mean_i + T scale_i e_i, (e1, ..., eL),
    with e1 of the group next to the data, which is drawn last.

    Args:
        hierarchy: Layer with the interface of `networks.hierarchy`, encoder and
            decoder.
        temperature: T > 0; the encoded noise is divided by it, so z has the
            posterior distribution at any temperature.
    """

    def __init__(self, hierarchy: Any, temperature: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be > 0, got {temperature}.")
        self.hierarchy, self.temperature = hierarchy, temperature
        self.built = True

    def _walked(self, x, noise_of):
        """Noise, means and log scales of all groups, e1 first; noise_of(index
        from 0 at the data, m, h) gives the noise of one group."""
        found: list[tuple] = []
        features = self.hierarchy.features(x)
        count = len(self.hierarchy.group_shapes)
        shift = tf.math.log(tf.cast(self.temperature, self.variable_dtype))

        def choose(i, mean, scale, state):
            m, h = self.hierarchy.posterior(i, features, state)
            m, h = m / self.temperature, h - shift
            e = noise_of(count - 1 - i, m, h)
            found.insert(0, (e, m, h))
            return mean + self.temperature * scale * e
        self.hierarchy.walk(
            choose, x.shape[0] if x.shape[0] is not None else tf.shape(x)[0])
        return tuple(zip(*found))

    def parameters(self, x: tf.Tensor, *, condition=None, seed=None
                   ) -> tuple[tuple, tuple]:
        """(means, log_scales) of all groups, with each earlier group at its
        mean; tuples of [batch, ...]."""
        return self._walked(x, lambda i, m, h: m)[1:]

    def sample_from(self, means: tuple, log_scales: tuple, seed: rng.Seed
                    ) -> tuple[tf.Tensor, ...]:
        """Samples of these Gaussians, ignoring that they depend on earlier
        ones."""
        return tuple(
            _drawn(i, *layer, seed)
            for i, layer in enumerate(zip(means, log_scales)))

    def draw(self, x: tf.Tensor, seed: rng.Seed, *, condition=None,
             dropout_seed=None) -> tuple[tuple, tuple[tuple, tuple]]:
        """A sample, and its (means, log_scales)."""
        noise, *parameters = self._walked(
            x, lambda i, m, h: _drawn(i, m, h, seed))
        return noise, tuple(parameters)

    def log_prob_of(self, noise: tuple, means: tuple, log_scales: tuple
                    ) -> tf.Tensor:
        """Normalized log density of a sample, [batch] in nats."""
        return tf.add_n([log_normal(*layer)
                         for layer in zip(noise, means, log_scales)])

    def log_prob(self, noise: tuple, x: tf.Tensor, *, condition=None,
                 seed=None) -> tf.Tensor:
        """Normalized log density, [batch] in nats."""
        return self.log_prob_of(*self._walked(x, lambda i, m, h: noise[i]))

    def call(self, x):
        return self.parameters(x)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature,
                "hierarchy": keras.saving.serialize_keras_object(
                    self.hierarchy)}


def _drawn(i, mean, log_scale, seed):
    return mean + tf.exp(log_scale) * rng.normal_like(
        mean, rng.stream(seed, f"z{i + 1}"))
