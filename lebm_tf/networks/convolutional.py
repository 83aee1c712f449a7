"""Convolutional generator and encoder of images."""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers
from lebm_tf.networks.deconvolution import Deconv


class LatentToMap(keras.layers.Layer):
    """A k x k transposed convolution of a 1 x 1 map, as one matrix product.

    Equivalent to stride 1 without padding: [batch, in] -> [batch, k, k, out].
    """

    def __init__(self, size: int, channels: int, seed: int, **kwargs):
        super().__init__(**kwargs)
        self.size, self.channels, self.seed = size, channels, seed

    def build(self, input_shape):
        area, derive = self.size**2, initializers.derive_seed
        fans = (input_shape[-1] + self.channels) * area
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], area * self.channels),
            initializer=keras.initializers.RandomNormal(
                0.0, (2.0 / fans)**0.5, derive(self.seed, "map/kernel")))
        self.bias = self.add_weight(
            name="bias", shape=(self.channels,),
            initializer=initializers.bound(
                area * self.channels, derive(self.seed, "map/bias")))

    def call(self, z):
        x = tf.matmul(z, self.kernel)
        x = tf.reshape(x, [-1, self.size, self.size, self.channels])
        return tf.nn.bias_add(x, self.bias)


@keras.saving.register_keras_serializable(package="lebm_tf")
class DeconvGenerator(keras.layers.Layer):
    """Mean image of a latent vector, by transposed convolutions.

    A map of base_size x base_size, a k4 layer that doubles the side for each
    further entry of `channels`, and the image layer (k4 stride 2, or k3 stride
    1), with leaky ReLU in between, tanh at the end and no normalization. All
    generators of Pang et al. 2020, arXiv:2006.08205, have this form.

    Args:
        latent_dim: Dimension of z.
        image_shape: (height, width, channels) of the images.
        base_size: Side of the first map.
        channels: Channels of the feature maps, first to last.
        final_stride: Stride of the image layer, 2 (doubles the side) or 1.
        activation: Activation of the hidden layers, one of
            `activations.ACTIVATIONS`.
        seed: Seed of the initial weights.

    Call arguments:
        z: Latent vectors, float [batch, latent_dim].

    Returns:
        Mean images in [-1, 1], float32 [batch, height, width, channels].

    Raises:
        ValueError: If it cannot make `image_shape`.
    """

    def __init__(self, latent_dim: int, image_shape: tuple, base_size: int,
                 channels: tuple, final_stride: int = 2,
                 activation: str = "leaky_relu", seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        if final_stride not in (1, 2):
            raise ValueError(f"final_stride must be 1 or 2, got "
                             f"{final_stride}.")
        if not channels or min(channels) < 1 or base_size < 1:
            raise ValueError("base_size and all channels must be >= 1, got "
                             f"{base_size} and {tuple(channels)}.")
        check_image_shape(image_shape, base_size, channels, final_stride)
        self.latent_dim, self.image_shape = latent_dim, tuple(image_shape)
        self.base_size, self.channels = base_size, tuple(channels)
        self.final_stride, self.activation = final_stride, activation
        self.seed, self.act = seed, activations.get(activation)
        self.first = LatentToMap(base_size, channels[0], seed, name="map",
                                 dtype=self.dtype_policy)
        widths = (*channels, image_shape[-1])
        strides = [2] * (len(channels) - 1) + [final_stride]
        self.layers = [
            self._layer(i, fan_in, units, stride) for i, (fan_in, units, stride)
            in enumerate(zip(widths, widths[1:], strides))]
        self.build((None, latent_dim))

    def _layer(self, i, fan_in, units, stride):
        size, name = (4 if stride == 2 else 3), f"deconv_{i}"
        derive = initializers.derive_seed
        return Deconv(
            units, size, strides=stride, padding="same", name=name,
            kernel_initializer=initializers.xavier_normal(
                derive(self.seed, name + "/kernel")),
            bias_initializer=initializers.bound(
                units * size * size, derive(self.seed, name + "/bias")),
            dtype=self.dtype_policy)

    def build(self, input_shape):
        self.first.build(input_shape)
        shape = (None, self.base_size, self.base_size, self.channels[0])
        for layer in self.layers:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, z: tf.Tensor) -> tf.Tensor:
        x = self.first(z)
        for layer in self.layers:
            x = layer(self.act(x))
        return tf.tanh(tf.cast(x, self.variable_dtype))

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "image_shape": self.image_shape, "base_size": self.base_size,
                "channels": self.channels, "final_stride": self.final_stride,
                "activation": self.activation, "seed": self.seed}


@keras.saving.register_keras_serializable(package="lebm_tf")
class ConvEncoder(keras.layers.Layer):
    """Mean and log standard deviation of a latent vector, from an image.

    A k3 layer, a k4 layer that halves the side for each further entry of
    `channels`, leaky ReLU after each, and a dense layer for both outputs.

    Args:
        latent_dim: Dimension of z.
        image_shape: (height, width, channels) of the images.
        channels: Channels of the feature maps, first to last.
        activation: One of `activations.ACTIVATIONS`.
        seed: Seed of the initial weights.
        has_scale: Whether it returns a standard deviation as well.

    Call arguments:
        x: Images in [-1, 1], float [batch, height, width, channels].

    Returns:
        (mean, log_scale), each float32 [batch, latent_dim]; only the mean
        without `has_scale`.
    """

    def __init__(self, latent_dim: int, image_shape: tuple,
                 channels: tuple = (32, 64), activation: str = "leaky_relu",
                 seed: int = 0, has_scale: bool = True, **kwargs):
        super().__init__(**kwargs)
        if not channels or min(channels) < 1:
            raise ValueError(
                f"channels must all be >= 1, got {tuple(channels)}.")
        self.latent_dim, self.image_shape = latent_dim, tuple(image_shape)
        self.channels, self.activation = tuple(channels), activation
        self.seed, self.act = seed, activations.get(activation)
        self.has_scale = has_scale
        derive = initializers.derive_seed
        widths = (image_shape[-1], *channels)
        self.layers = []
        for i, (fan_in, units) in enumerate(zip(widths, channels)):
            size, stride = (4, 2) if i else (3, 1)
            name = f"conv_{i}"
            self.layers.append(keras.layers.Conv2D(
                units, size, strides=stride, padding="same", name=name,
                kernel_initializer=initializers.xavier_normal(
                    derive(seed, name + "/kernel")),
                bias_initializer=initializers.bound(
                    fan_in * size * size, derive(seed, name + "/bias")),
                dtype=self.dtype_policy))
        shape = (None, *image_shape)
        for layer in self.layers:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.flat = shape[1] * shape[2] * shape[3]
        self.head = initializers.dense(
            (1 + has_scale) * latent_dim, self.flat, seed, "head",
            dtype=self.variable_dtype)
        self.head.build((None, self.flat))
        self.built = True

    def call(self, x: tf.Tensor):
        for layer in self.layers:
            x = self.act(layer(x))
        x = self.head(tf.reshape(x, [-1, self.flat]))
        return tuple(tf.split(x, 2, axis=-1)) if self.has_scale else x

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "image_shape": self.image_shape, "channels": self.channels,
                "activation": self.activation, "seed": self.seed,
                "has_scale": self.has_scale}


def check_image_shape(image_shape: tuple, base_size: int, channels: tuple,
                      final_stride: int) -> None:
    """Checks that a `DeconvGenerator` makes images of this shape.

    Raises:
        ValueError: If it does not; lists the sizes that are possible.
    """
    height, width = image_shape[0], image_shape[1]
    factor = 2**(len(channels) - 1) * final_stride
    side = base_size * factor
    if (height, width) == (side, side):
        return
    sides = [base_size * final_stride * 2**n for n in range(6)]
    raise ValueError(
        f"the generator makes {side}x{side} images (base_size {base_size}, "
        f"{len(channels)} channels, final_stride {final_stride}), got images "
        f"of {height}x{width}; with this base_size and final_stride, 1 to 6 "
        f"channels make {', '.join(map(str, sides))}.")
