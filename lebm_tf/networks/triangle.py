"""Networks of the divergence triangle.

Han et al. 2019, arXiv:1812.10907: train_cifar10.py of the public code. Initial
weights are N(0, 0.02^2).
"""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers
from lebm_tf.networks.batch_norm import BatchNorm
from lebm_tf.networks.convolutional import check_image_shape
from lebm_tf.networks.deconvolution import transposed_convolution


@keras.saving.register_keras_serializable(package="lebm_tf")
class NormalizedGenerator(keras.layers.Layer):
    """Mean image of a latent vector: transposed convolutions, batch norm, ReLU.

    A map of base_size x base_size, a k4 layer that doubles the side for each
    further entry of `channels`, without biases, and a k3 image layer with tanh.

    Args:
        latent_dim: Dimension of z.
        image_shape: (height, width, channels) of the images.
        base_size: Side of the first map.
        channels: Channels of the feature maps, first to last.
        seed: Seed of initial weights.

    Call arguments:
        z: Latent vectors, float [batch, latent_dim].
        training, remember: As in `BatchNorm`.

    Returns:
        Mean images in [-1, 1], float32 [batch, height, width, channels].

    Raises:
        ValueError: If it cannot make `image_shape`.
    """

    def __init__(self, latent_dim: int, image_shape: tuple,
                 base_size: int = 4, channels: tuple = (512, 512, 256, 128),
                 seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        check_image_shape(image_shape, base_size, channels, 1)
        self.latent_dim, self.image_shape = latent_dim, tuple(image_shape)
        self.base_size, self.channels = base_size, tuple(channels)
        self.seed = seed
        shapes = [(latent_dim, base_size**2 * channels[0]), *(
            (4, 4, units, fan_in)
            for fan_in, units in zip(channels, channels[1:])),
            (3, 3, image_shape[-1], channels[-1])]
        self.kernels = [self.add_weight(
            name=f"kernel_{i}", shape=shape,
            initializer=_normal(seed, f"kernel_{i}"))
            for i, shape in enumerate(shapes)]
        self.norms = [BatchNorm(
            units, initializers.derive_seed(seed, f"norm_{i}"),
            name=f"norm_{i}", dtype=self.dtype_policy)
            for i, units in enumerate(channels)]
        self.bias = self.add_weight(
            name="bias", shape=(image_shape[-1],), initializer="zeros")
        self.built = True

    def call(self, z, training: bool = False, remember: bool = False):
        size, (first, *others, last) = self.base_size, self.kernels
        x = tf.reshape(tf.matmul(z, first), [-1, size, size, self.channels[0]])
        for norm, kernel in zip(self.norms, (*others, None)):
            x = tf.nn.relu(norm(x, training=training, remember=remember))
            if kernel is not None:
                x = transposed_convolution(x, tf.cast(kernel, x.dtype), 2)
        x = transposed_convolution(x, tf.cast(last, x.dtype), 1)
        x = tf.cast(x, self.variable_dtype)
        return tf.tanh(x + tf.cast(self.bias, x.dtype))

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "image_shape": self.image_shape, "seed": self.seed,
                "base_size": self.base_size, "channels": self.channels}


@keras.saving.register_keras_serializable(package="lebm_tf")
class PlainEncoder(keras.layers.Layer):
    """Vectors of an image: convolutions without biases, leaky ReLU.

    A k3 layer, a k4 layer that halves the side for each further entry of
    `channels`, and dense output layers with a bias.

    Args:
        image_shape: (height, width, channels) of the images.
        channels: Channels of the feature maps, first to last.
        units: Width of each vector.
        num_outputs: Number of vectors.
        seed: Seed of initial weights.

    Call arguments:
        x: Images in [-1, 1], float [batch, height, width, channels].

    Returns:
        float32 [batch, units]; a tuple if there are several.
    """

    def __init__(self, image_shape: tuple, channels: tuple, units: int,
                 num_outputs: int = 1, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.image_shape, self.channels = tuple(image_shape), tuple(channels)
        self.units, self.num_outputs, self.seed = units, num_outputs, seed
        self.layers, shape = [], (None, *image_shape)
        for i, width in enumerate(channels):
            size, stride = (4, 2) if i else (3, 1)
            layer = keras.layers.Conv2D(
                width, size, strides=stride, padding="same", use_bias=False,
                name=f"conv_{i}", dtype=self.dtype_policy,
                kernel_initializer=_normal(seed, f"conv_{i}"))
            layer.build(shape)
            self.layers.append(layer)
            shape = layer.compute_output_shape(shape)
        self.flat = shape[1] * shape[2] * shape[3]
        self.heads = [keras.layers.Dense(
            units, name=f"head_{i}", dtype=self.variable_dtype,
            kernel_initializer=_normal(seed, f"head_{i}"))
            for i in range(num_outputs)]
        for head in self.heads:
            head.build((None, self.flat))
        self.built = True

    def call(self, x):
        for layer in self.layers:
            x = activations.leaky_relu(layer(x))
        x = tf.reshape(x, [-1, self.flat])
        outputs = tuple(head(x) for head in self.heads)
        return outputs if self.num_outputs > 1 else outputs[0]

    def get_config(self):
        return {**super().get_config(), "image_shape": self.image_shape,
                "channels": self.channels, "units": self.units,
                "num_outputs": self.num_outputs, "seed": self.seed}


FORMS = {"identity": lambda o: o, "tanh": lambda o: tf.tanh(-o),
         "sigmoid": lambda o: tf.sigmoid(-o),
         "softplus": lambda o: tf.nn.softplus(-o)}


@keras.saving.register_keras_serializable(package="lebm_tf")
class FormedEnergy(keras.layers.Layer):
    """Energy of an image, [batch]: a function of the output of a network.

    Args:
        network: Layer, x -> [batch, 1].
        form: One of `FORMS`.

    Raises:
        ValueError: If the form is unknown.
    """

    def __init__(self, network: keras.layers.Layer, form: str = "identity",
                 **kwargs):
        super().__init__(**kwargs)
        if form not in FORMS:
            raise ValueError(
                f"form must be one of {', '.join(FORMS)}, got {form!r}.")
        self.network, self.form, self.built = network, form, True

    def call(self, x):
        return FORMS[self.form](self.network(x)[:, 0])

    def get_config(self):
        return {**super().get_config(), "form": self.form,
                "network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the layer and its network from a configuration."""
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)


@keras.saving.register_keras_serializable(package="lebm_tf")
class HalvedLogVariance(keras.layers.Layer):
    """Converts a network's (mean, log variance) to (mean, log scale).

    Args:
        network: Layer, x -> (mean, log variance).
    """

    def __init__(self, network: keras.layers.Layer, **kwargs):
        super().__init__(**kwargs)
        self.network, self.built = network, True

    def call(self, x):
        mean, log_variance = self.network(x)
        return mean, 0.5 * log_variance

    def get_config(self):
        return {**super().get_config(),
                "network": keras.saving.serialize_keras_object(self.network)}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the layer and its network from a configuration."""
        network = keras.saving.deserialize_keras_object(config.pop("network"))
        return cls(network, **config)


def _normal(seed, name):
    return keras.initializers.RandomNormal(
        stddev=0.02, seed=initializers.derive_seed(seed, name))
