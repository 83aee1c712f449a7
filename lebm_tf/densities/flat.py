"""No base at all."""

import keras
import tensorflow as tf

from lebm_tf.densities.contracts import Prior
from lebm_tf.mcmc.kernel import Position, num_chains


@keras.saving.register_keras_serializable(package="lebm_tf")
class Flat(Prior, keras.Model):
    """1, everywhere: the base of an energy that is all there is.

    exp(-E(x)) alone, as of energy-based models of pixels. No density, as it
    has no integral, so nothing is drawn from it: chains start elsewhere.
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
