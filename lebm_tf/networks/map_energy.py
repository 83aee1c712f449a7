"""Energies of latent feature maps."""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers

_SMALLEST = 4  # Side at which the convolutions end.


@keras.saving.register_keras_serializable(package="lebm_tf")
class MapEnergy(keras.layers.Layer):
    """Energy of a feature map: strided convolutions, dense layers, one output.

    k4 stride 2 convolutions down to a side of 4, as many dense layers (at least
    one), and the output layer; leaky ReLU after all but the last. `_netEzi` of
    ebms_utils.py of Cui et al. 2023, arXiv:2306.06323.

    Args:
        shape: (height, width, channels) of a map.
        channels: Channels of the convolutions, at least 1.
        hidden_units: Width of the dense layers, at least 1.
        activation: One of `activations.ACTIVATIONS`.
        seed: Seed of the initial weights.

    Call arguments:
        z: Feature maps, float [batch, height, width, channels].

    Returns:
        Energies in nats, float32 [batch].

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(self, shape, channels: int = 64, hidden_units: int = 200,
                 activation: str = "leaky_relu", seed: int = 0, **kwargs):
        super().__init__(**{"autocast": False, **kwargs})
        if min(*shape, channels, hidden_units) < 1:
            raise ValueError(
                "shape, channels and hidden_units must be >= 1, got "
                f"{tuple(shape)}, {channels} and {hidden_units}.")
        self.shape, self.channels = tuple(shape), channels
        self.hidden_units, self.activation = hidden_units, activation
        self.seed, self.act = seed, activations.get(activation)
        self.convolutions: list[keras.layers.Layer] = []
        made = (None, *shape)
        while max(made[1:3]) > _SMALLEST:
            layer = self._convolution(len(self.convolutions), made[-1])
            layer.build(made)
            self.convolutions.append(layer)
            made = layer.compute_output_shape(made)
        self.flat = made[1] * made[2] * made[3]
        count = max(1, len(self.convolutions))
        widths = (self.flat,) + (hidden_units,) * count
        self.layers = [self._dense(f"dense_{i}", fan_in, units)
                       for i, (fan_in, units) in enumerate(zip(
                           widths, widths[1:]))]
        self.head = self._dense("energy", hidden_units, 1)
        self.built = True

    def _convolution(self, i, fan_in):
        name, derive = f"conv_{i}", initializers.derive_seed
        return keras.layers.Conv2D(
            self.channels, 4, strides=2, padding="same", name=name,
            kernel_initializer=initializers.xavier_normal(
                derive(self.seed, name + "/kernel")),
            bias_initializer=initializers.bound(
                fan_in * 16, derive(self.seed, name + "/bias")),
            dtype=self.variable_dtype)

    def _dense(self, name, fan_in, units):
        layer = initializers.dense(units, fan_in, self.seed, name,
                                   dtype=self.variable_dtype)
        layer.build((None, fan_in))
        return layer

    def call(self, z: tf.Tensor) -> tf.Tensor:
        z = tf.cast(z, self.variable_dtype)
        for layer in self.convolutions:
            z = self.act(layer(z))
        z = tf.reshape(z, [-1, self.flat])
        for layer in self.layers:
            z = self.act(layer(z))
        return self.head(z)[:, 0]

    def get_config(self):
        return {**super().get_config(), "shape": self.shape,
                "channels": self.channels, "seed": self.seed,
                "hidden_units": self.hidden_units,
                "activation": self.activation}
