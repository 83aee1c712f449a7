"""Instance normalization."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="lebm_tf")
class InstanceNorm(keras.layers.Layer):
    """(x - mean) / sqrt(variance + epsilon) * scale + offset of every channel.

    Ulyanov et al. 2016, arXiv:1607.08022: mean and biased variance are those of
    one channel of one example, so examples are independent. Computed in float32
    under mixed precision.

    Args:
        channels: Number of channels.
        seed: Seed of the initial scales, N(1, 0.02^2) truncated.
        epsilon: Added to the variance.

    Call arguments:
        x: Feature maps, float [batch, height, width, channels].

    Returns:
        The same shape and dtype.
    """

    def __init__(self, channels: int, seed: int = 0, epsilon: float = 1e-6,
                 **kwargs):
        super().__init__(**kwargs)
        self.channels, self.seed, self.epsilon = channels, seed, epsilon
        self.scale = self.add_weight(
            name="scale", shape=(channels,),
            initializer=keras.initializers.TruncatedNormal(1.0, 0.02, seed))
        self.offset = self.add_weight(
            name="offset", shape=(channels,), initializer="zeros")
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        wide = tf.cast(x, self.variable_dtype)
        mean, variance = tf.nn.moments(wide, [1, 2], keepdims=True)
        scale, offset = (tf.cast(weight, self.variable_dtype)
                         for weight in (self.scale, self.offset))
        wide = (wide - mean) * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast(wide * scale + offset, x.dtype)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels,
                "seed": self.seed, "epsilon": self.epsilon}
