"""Proposals for the states of a noise level, given the level above."""

import keras
import tensorflow as tf

from lebm_tf.densities.neighbours import rows
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng


@keras.saving.register_keras_serializable(package="lebm_tf")
class LevelProposal(Nested, keras.Model):
    """q(y | x_{t+1}) = N(p(x_{t+1}, time_{t+1}), c_t^2 I) at every level t.

    It initializes the chains of cooperative diffusion recovery likelihood and
    learns from their final states; Zhu et al. 2024, arXiv:2309.05153, section
    3.2.

    Args:
        network: Layer p, (x_{t+1}, time) -> mean [batch, ...].
        times: Time values of x_1, ..., x_T for the network.
        scales: c_t of each level, such as `NoiseLevels.proposal_scales`.
    """

    def __init__(self, network: keras.layers.Layer, times: tuple,
                 scales: tuple, **kwargs):
        super().__init__(**kwargs)
        self.network, self.times = network, tuple(times)
        self.scales = tuple(scales)
        self.built = True

    def mean(self, above: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        """Mean of y, [batch, ...].

        Args:
            above: x_{t+1}, [batch, ...].
            level: t, int32 [batch], or [] for all rows.
        """
        if not level.shape.rank:
            level = tf.fill(tf.shape(above)[:1], level)
        return tf.cast(self.network(above, tf.gather(tf.constant(
            self.times, above.dtype), level)), above.dtype)

    def sample(self, above: tf.Tensor, level: tf.Tensor, seed: rng.Seed
               ) -> tf.Tensor:
        """Samples y, [batch, ...]."""
        return self.mean(above, level) + rows(
            self.scales, level, above) * rng.normal_like(above, seed)

    def call(self, above, level):
        return self.mean(above, level)

    def get_config(self):
        return {**super().get_config(), "times": self.times,
                "scales": self.scales, "network":
                keras.saving.serialize_keras_object(self.network)}
