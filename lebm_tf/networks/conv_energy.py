"""A convolutional energy of images."""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers
from lebm_tf.networks.convolutional import ConvEncoder


@keras.saving.register_keras_serializable(package="lebm_tf")
class ConvEnergy(keras.layers.Layer):
    """Energy of an image: convolutions, a hidden layer and a scalar output.

    Args:
        image_shape: (height, width, channels).
        channels: Channels of the feature maps; each map after the first halves
            the side.
        hidden_units: Width of the hidden layer.
        activation: One of `activations.ACTIVATIONS`.
        bound: Bound on |E|, by a hyperbolic tangent; 0 for no bound.
        seed: Seed of initial weights; the last layer, and so E, starts at 0.

    Call arguments:
        x: Images, float [batch, height, width, channels].

    Returns:
        Energies in nats, float32 [batch].
    """

    def __init__(self, image_shape: tuple, channels: tuple = (32, 64),
                 hidden_units: int = 128, activation: str = "gelu",
                 bound: float = 0.0, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.image_shape, self.channels = tuple(image_shape), tuple(channels)
        self.hidden_units, self.activation = hidden_units, activation
        self.bound, self.seed = bound, seed
        self.act = activations.get(activation)
        self.features = ConvEncoder(
            hidden_units, image_shape, channels, activation,
            initializers.derive_seed(seed, "features"), has_scale=False,
            dtype=self.dtype_policy)
        self.head = initializers.dense(
            1, hidden_units, seed, "energy", dtype=self.variable_dtype)
        self.head.build((None, hidden_units))
        initializers.set_to_zero(self.head)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        energy = self.head(self.act(self.features(x)))[:, 0]
        if self.bound:
            energy = self.bound * tf.tanh(energy / self.bound)
        return energy

    def get_config(self):
        return {**super().get_config(), "image_shape": self.image_shape,
                "channels": self.channels, "hidden_units": self.hidden_units,
                "activation": self.activation, "bound": self.bound,
                "seed": self.seed}
