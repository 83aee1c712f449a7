"""The flat base, for energies without a base density."""

import keras
import tensorflow as tf

from lebm_tf.densities.contracts import Prior
from lebm_tf.mcmc.kernel import Position, num_chains


@keras.saving.register_keras_serializable(package="lebm_tf")
class Flat(Prior, keras.Model):
    """The constant 1, as the base of an energy-based model exp(-E(x)).

    It has no integral and is therefore not a density that can be sampled:
    chains start elsewhere.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.built = True

    def unnormalized_log_prob(self, z: Position, *, condition=None
                              ) -> tf.Tensor:
        """0, float [batch]."""
        return tf.zeros([num_chains(z)], tf.nest.flatten(z)[0].dtype)

    def call(self, z):
        return self.unnormalized_log_prob(z)
