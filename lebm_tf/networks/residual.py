"""The wide residual network of published results with few labels."""

import keras
import tensorflow as tf

from lebm_tf.networks import initializers

_WIDTHS = (16, 32, 64)  # Channels of the three groups, times `widen`.
_SLOPE = 0.1


@keras.saving.register_keras_serializable(package="lebm_tf")
class WideResidualEncoder(keras.layers.Layer):
    """Mean and log standard deviation of a latent vector, from an image.

    WideResNet of Zagoruyko and Komodakis 2016, arXiv:1605.07146: a k3 layer,
    three groups of (depth - 4) / 6 blocks of two k3 layers, where the second
    and third group halve the side, a mean over the map, and a dense layer. As
    in the public code of Pang and Wu 2021 (semi_sup_classification.py) with
    depth 28, widen 3, dropout 0.3 within blocks and leaky ReLU of slope 0.1.
    There is no normalization: with batch norm, z of one image would depend on
    the others.

    Args:
        latent_dim: Dimension of z.
        image_shape: (height, width, channels), sides multiples of 4.
        depth: Number of layers, 6 n + 4 with n >= 1.
        widen: Factor >= 1 on the widths 16, 32, 64.
        dropout: Dropout rate within blocks, in [0, 1).
        seed: Seed of the initial weights.

    Call arguments:
        x: Images in [-1, 1], float [batch, height, width, channels].
        drop: Dropout function (values, name) -> values; None for no dropout.

    Returns:
        (mean, log_scale), each float32 [batch, latent_dim].

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, latent_dim: int, image_shape: tuple, depth: int = 28,
                 widen: int = 3, dropout: float = 0.3, seed: int = 0,
                 **kwargs):
        super().__init__(**kwargs)
        if depth < 10 or depth % 6 != 4:
            raise ValueError(f"depth must be 10, 16, 22, 28, ..., got {depth}.")
        if widen < 1:
            raise ValueError(f"widen must be >= 1, got {widen}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}.")
        if image_shape[0] % 4 or image_shape[1] % 4:
            raise ValueError("a wide residual network needs sides that are "
                             "multiples of 4, got images of "
                             f"{image_shape[0]}x{image_shape[1]}.")
        self.latent_dim, self.image_shape = latent_dim, tuple(image_shape)
        self.depth, self.widen, self.dropout = depth, widen, dropout
        self.seed = seed
        # One flat list, which checkpoints track; `blocks` groups it.
        self.convolutions = [
            self._conv("first", image_shape[-1], _WIDTHS[0], 3, 1)]
        fan_in = _WIDTHS[0]
        for group, width in enumerate(_WIDTHS):
            for i in range((depth - 4) // 6):
                units, name = width * widen, f"block_{group}_{i}"
                stride = 2 if group and not i else 1
                self.convolutions += [
                    self._conv(name + "_a", fan_in, units, 3, 1),
                    self._conv(name + "_b", units, units, 3, stride)]
                if stride > 1 or fan_in != units:
                    self.convolutions.append(self._conv(
                        name + "_shortcut", fan_in, units, 1, stride))
                fan_in = units
        self.head = initializers.dense(
            2 * latent_dim, fan_in, seed, "head", dtype=self.variable_dtype)
        shape = (None, *image_shape)
        self.convolutions[0].build(shape)
        shape = self.convolutions[0].compute_output_shape(shape)
        for a, b, shortcut in self.blocks():
            if shortcut:
                shortcut.build(shape)
            a.build(shape)
            inner = a.compute_output_shape(shape)
            b.build(inner)
            shape = b.compute_output_shape(inner)
        self.head.build((None, fan_in))
        self.built = True

    def _conv(self, name, fan_in, units, size, stride):
        derive = initializers.derive_seed
        return keras.layers.Conv2D(
            units, size, strides=stride, padding="same", name=name,
            kernel_initializer=initializers.bound(
                fan_in * size * size, derive(self.seed, name + "/kernel")),
            bias_initializer=initializers.bound(
                fan_in * size * size, derive(self.seed, name + "/bias")),
            dtype=self.dtype_policy)

    def blocks(self) -> list[tuple]:
        """(first layer, second layer, shortcut or None) of every block."""
        named = {layer.name: layer for layer in self.convolutions}
        stems = [name[:-2] for name in named if name.endswith("_a")]
        return [(named[stem + "_a"], named[stem + "_b"],
                 named.get(stem + "_shortcut")) for stem in stems]

    def call(self, x: tf.Tensor, drop=None):
        x = self.convolutions[0](x)
        for a, b, shortcut in self.blocks():
            y = a(_act(x))
            if drop is not None:
                y = drop(y, a.name)
            x = b(_act(y)) + (x if shortcut is None else shortcut(x))
        x = tf.reduce_mean(_act(x), axis=[1, 2])
        x = self.head(tf.cast(x, self.variable_dtype))
        return tuple(tf.split(x, 2, axis=-1))

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "image_shape": self.image_shape, "depth": self.depth,
                "widen": self.widen, "dropout": self.dropout,
                "seed": self.seed}


def _act(x):
    return tf.maximum(x, _SLOPE * x)
