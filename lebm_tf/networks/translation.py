"""Networks from images to images, and from images to an energy."""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers
from lebm_tf.networks.normalization import InstanceNorm


@keras.saving.register_keras_serializable(package="lebm_tf")
class PictureEnergy(keras.layers.Layer):
    """E(x) = -sum_k f_k(x) of an image, by convolutions.

    Leaky ReLU after every layer; then a convolution as large as the map,
    computed as a matrix product, gives the outputs f. `ConvEBM` of
    zilongzheng/CycleCoopNets; chains use the sum of the outputs.

    Args:
        image_shape: (height, width, channels) of the images.
        channels: Channels of the feature maps, first to last.
        kernel_sizes: Kernel size of each layer.
        strides: Stride of each layer, 1 or 2; 2 halves the sides.
        num_outputs: Number of outputs f, at least 1.
        weight_scale: Standard deviation of the initial kernels.
        seed: Seed of the initial weights.

    Call arguments:
        x: Images in [-1, 1], float [batch, height, width, channels].
        condition: Ignored.

    Returns:
        Energies in nats, float32 [batch].

    Raises:
        ValueError: If the numbers of channels, kernels and strides differ, or a
            side is not divisible by the strides.
    """

    def __init__(self, image_shape: tuple, channels: tuple, kernel_sizes: tuple,
                 strides: tuple, num_outputs: int = 100,
                 weight_scale: float = 0.002, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        if not len(channels) == len(kernel_sizes) == len(strides):
            raise ValueError(
                "channels, kernel_sizes and strides must have equal lengths, "
                f"got {len(channels)}, {len(kernel_sizes)} and {len(strides)}.")
        factor = 1
        for stride in strides:
            factor *= stride
        check_sides(image_shape, factor, "the energy")
        self.image_shape, self.channels = tuple(image_shape), tuple(channels)
        self.kernel_sizes, self.strides = tuple(kernel_sizes), tuple(strides)
        self.num_outputs, self.weight_scale = num_outputs, weight_scale
        self.seed, self.act = seed, activations.leaky_relu
        self.layers, shape = [], (None, *image_shape)
        for i, (units, size, stride) in enumerate(
                zip(channels, kernel_sizes, strides)):
            layer = keras.layers.Conv2D(
                units, size, strides=stride, padding="same", name=f"conv_{i}",
                kernel_initializer=_normal(weight_scale, seed, f"conv_{i}"),
                dtype=self.dtype_policy)
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
            self.layers.append(layer)
        self.flat = shape[1] * shape[2] * shape[3]
        self.head = keras.layers.Dense(
            num_outputs, name="head", dtype=self.variable_dtype,
            kernel_initializer=_normal(weight_scale, seed, "head"))
        self.head.build((None, self.flat))
        self.built = True

    def outputs(self, x: tf.Tensor) -> tf.Tensor:
        """f(x), float32 [batch, num_outputs]; high means probable."""
        for layer in self.layers:
            x = self.act(layer(x))
        return self.head(tf.reshape(x, [-1, self.flat]))

    def call(self, x: tf.Tensor, condition=None) -> tf.Tensor:
        return -tf.reduce_sum(self.outputs(x), -1)

    def get_config(self):
        names = ("image_shape", "channels", "kernel_sizes", "strides",
                 "num_outputs", "weight_scale", "seed")
        return {**super().get_config(),
                **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="lebm_tf")
class ResidualTranslator(keras.layers.Layer):
    """Translates an image of one domain to another, with the same size.

    A k7 layer, two k3 layers that halve the side, residual blocks, two
    transposed k3 layers that double it, and a k7 layer with tanh; instance
    normalization and ReLU after every layer except the last; the k7 layers and
    the blocks have reflection padding. `ResnetGenerator` of
    zilongzheng/CycleCoopNets, after Zhu et al. 2017, arXiv:1703.10593.

    Args:
        image_shape: (height, width, channels), sides multiples of 4 and at
            least 8.
        width: Channels of the first feature maps; blocks have four times as
            many.
        num_blocks: Number of residual blocks, at least 0.
        dropout: Dropout rate within blocks, in [0, 1).
        weight_scale: Standard deviation of the initial kernels.
        seed: Seed of the initial weights.

    Call arguments:
        x: Images in [-1, 1], float [batch, height, width, channels].
        drop: Dropout function (values, name) -> values; None for no dropout.

    Returns:
        Images in [-1, 1], float32, of the same shape.

    Raises:
        ValueError: If a side is not a multiple of 4, or is too small for
            reflection padding.
    """

    def __init__(self, image_shape: tuple, width: int = 64,
                 num_blocks: int = 9, dropout: float = 0.5,
                 weight_scale: float = 0.002, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        check_sides(image_shape, 4, "the translator")
        if min(image_shape[:2]) < 8:
            raise ValueError("the translator needs sides of at least 8, got "
                             f"{image_shape[0]}x{image_shape[1]}.")
        self.image_shape, self.width = tuple(image_shape), width
        self.num_blocks, self.dropout = num_blocks, dropout
        self.weight_scale, self.seed = weight_scale, seed
        self.shape_now = (None, *image_shape)
        # Flat lists, which checkpoints track.
        self.convolutions: list[keras.layers.Layer] = []
        self.norms: list[keras.layers.Layer] = []
        self._add("down_0", width, 7, 1, reflected=3)
        self._add("down_1", 2 * width, 3, 2)
        self._add("down_2", 4 * width, 3, 2)
        for i in range(num_blocks):
            self._add(f"block_{i}_a", 4 * width, 3, 1, reflected=1)
            self._add(f"block_{i}_b", 4 * width, 3, 1, reflected=1)
        self._add("up_0", 2 * width, 3, 2, keras.layers.Conv2DTranspose)
        self._add("up_1", width, 3, 2, keras.layers.Conv2DTranspose)
        self._add("picture", image_shape[-1], 7, 1, reflected=3, is_last=True)
        self.built = True

    def _add(self, name, units, size, stride, kind=keras.layers.Conv2D, *,
             reflected=0, is_last=False):
        """Adds a layer and its normalization."""
        layer = kind(
            units, size, strides=stride, name=name,
            padding="valid" if reflected else "same",
            kernel_initializer=_normal(self.weight_scale, self.seed, name),
            dtype=self.dtype_policy)
        batch, height, width, channels = self.shape_now
        shape = (batch, height + 2 * reflected, width + 2 * reflected, channels)
        layer.build(shape)
        self.shape_now = layer.compute_output_shape(shape)
        self.convolutions.append(layer)
        if not is_last:
            self.norms.append(InstanceNorm(
                units, initializers.derive_seed(self.seed, name + "/norm"),
                name=name + "_norm", dtype=self.dtype_policy))

    def call(self, x: tf.Tensor, drop=None) -> tf.Tensor:
        layers = iter(zip(self.convolutions, [*self.norms, None]))

        def following(x, reflected=0):
            layer, norm = next(layers)
            x = layer(_reflected(x, reflected))
            return x if norm is None else norm(x)
        x = tf.nn.relu(following(x, 3))
        for _ in range(2):
            x = tf.nn.relu(following(x))
        for i in range(self.num_blocks):
            y = tf.nn.relu(following(x, 1))
            if drop is not None:
                y = drop(y, f"block_{i}")
            x = x + following(y, 1)
        for _ in range(2):
            x = tf.nn.relu(following(x))
        return tf.tanh(tf.cast(following(x, 3), self.variable_dtype))

    def get_config(self):
        names = ("image_shape", "width", "num_blocks", "dropout",
                 "weight_scale", "seed")
        return {**super().get_config(),
                **{name: getattr(self, name) for name in names}}


def check_sides(image_shape: tuple, factor: int, what: str) -> None:
    """Raises ValueError unless both sides are multiples of the factor."""
    height, width = image_shape[:2]
    if height % factor or width % factor:
        raise ValueError(
            f"{what} needs sides that are multiples of {factor}, got images of "
            f"{height}x{width}.")


def _normal(scale, seed, name):
    return keras.initializers.RandomNormal(
        0.0, scale, initializers.derive_seed(seed, name + "/kernel"))


def _reflected(x, border):
    if not border:
        return x
    return tf.pad(x, [[0, 0], [border, border], [border, border], [0, 0]],
                  "REFLECT")
