"""Generator and encoder with a feature map for every layer of latents.

Cui, Wu and Han 2023, arXiv:2310.09604, after the variational ladder autoencoder
of Zhao et al. 2017, arXiv:1702.08396.
"""

from typing import Any

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers
from lebm_tf.networks.deconvolution import Deconv

MERGES = ("concatenate", "add")


class _Ladder(keras.layers.Layer):
    """Shared parts: dense layers and convolutions with seeds by name."""

    def __init__(self, seed: int, activation: str, **kwargs):
        super().__init__(**kwargs)
        self.seed, self.activation = seed, activation
        self.act = activations.get(activation)

    def _dense(self, name, fan_in, units):
        layer = initializers.dense(units, fan_in, self.seed, name,
                                   dtype=self.variable_dtype)
        layer.build((None, fan_in))
        return layer

    def _conv(self, kind, name, shape, units, size, stride, **kwargs):
        """Builds a convolution, and returns it with its output shape."""
        derive = initializers.derive_seed
        layer = kind(
            units, size, strides=stride, padding="same", name=name,
            kernel_initializer=initializers.xavier_normal(
                derive(self.seed, name + "/kernel")),
            bias_initializer=initializers.bound(
                shape[-1] * size * size, derive(self.seed, name + "/bias")),
            dtype=self.dtype_policy, **kwargs)
        layer.build(shape)
        return layer, layer.compute_output_shape(shape)


@keras.saving.register_keras_serializable(package="lebm_tf")
class LadderGenerator(_Ladder):
    """Mean image of latents of several layers, each at its own feature map.

    Dense layers turn the top layer into the first map. Every other layer gives
    a map of the current size, which is merged with that from above; then the
    side doubles. With `concatenate` (train_fid.py of the authors) a level
    consists of k3, k4 stride 2, k3 transposed convolutions, and the first map
    has side `base_size`. With `add` (train_hs.py) it is k4 stride 2, k3, and
    the second layer from the top is merged with a vector, from which a dense
    layer makes the map of side `base_size`. Only dense layers have biases;
    leaky ReLU in between, tanh at the end.

    Args:
        latent_dims: Width of every layer, next to the image first.
        image_shape: (height, width, channels), with side base_size 2^(L - 1).
        channels: Channels of the feature maps, next to the image first: one per
            layer with `concatenate`, one fewer with `add`.
        hidden_units: Width of the two hidden layers of the top.
        base_size: Side of the smallest map.
        merge: One of `MERGES`.
        activation: One of `activations.ACTIVATIONS`.
        seed: Seed of the initial weights.

    Call arguments:
        z: Tuple of latents, each float [batch, width].

    Returns:
        Mean images in [-1, 1], float32 [batch, height, width, channels].

    Raises:
        ValueError: If it cannot make `image_shape`, or `channels` has another
            length.
    """

    def __init__(self, latent_dims, image_shape, channels,
                 hidden_units: int = 256, base_size: int = 2,
                 merge: str = "concatenate", activation: str = "leaky_relu",
                 seed: int = 0, **kwargs):
        super().__init__(seed, activation, **kwargs)
        self.latent_dims, self.channels = tuple(latent_dims), tuple(channels)
        self.image_shape, self.base_size = tuple(image_shape), base_size
        self.hidden_units, self.merge = hidden_units, merge
        check_ladder(latent_dims, image_shape, channels, base_size, merge)
        self.concatenates = merge == "concatenate"
        levels = len(self.latent_dims) - 1
        sides = [base_size * 2**(levels - 1 - i) for i in range(levels)]
        widths = self.channels[1:] if self.concatenates else self.channels
        self.map_shapes: list[tuple[int, ...]] = [
            (side, side, width) for side, width in zip(sides, widths)]
        if not self.concatenates:
            self.map_shapes[-1] = (widths[-1],)  # A vector.
        self.top = self._stack("top", self.latent_dims[-1], (
            hidden_units, hidden_units, _size(self.map_shapes[-1])))
        self.maps = [self._dense(f"map_{i}", width, _size(shape))
                     for i, (width, shape) in enumerate(zip(
                         self.latent_dims, self.map_shapes))]
        self.lift: Any = None if self.concatenates else self._dense(
            "lift", widths[-1], base_size**2 * widths[-1])
        self.levels = [self._level(i) for i in range(levels)]
        self.built = True

    def _stack(self, name, fan_in, units):
        widths = (fan_in, *units)
        return [self._dense(f"{name}_{i}", below, above)
                for i, (below, above) in enumerate(zip(widths, widths[1:]))]

    def _level(self, i):
        """The transposed convolutions below the map of layer i."""
        out = self.image_shape[-1] if i == 0 else self.channels[i - 1]
        width = self.channels[i]
        if self.concatenates:
            above, side = self.channels[i + 1], self.map_shapes[i][0]
            steps = [(above, 3, 1), (width, 4, 2), (width, 3, 1)]
            steps += [(out, 3, 1)] * (i == 0)
            shape = (None, side, side, 2 * above)
        else:
            side = self.image_shape[0] // 2**(i + 1)
            steps = [(width, 4, 2), (out, 3, 1)]
            shape = (None, side, side, width)
        layers = []
        for k, (units, size, stride) in enumerate(steps):
            layer, shape = self._conv(Deconv, f"level_{i}_{k}", shape, units,
                                      size, stride, use_bias=False)
            layers.append(layer)
        return layers

    def call(self, z: tuple) -> tf.Tensor:
        x, (*hidden, last) = z[-1], self.top
        for layer in hidden:
            x = self.act(layer(x))
        x = last(x)
        if self.concatenates:  # With `add`, there is no activation here.
            x = self.act(x)
        shapes = [tf.TensorShape([None, *s]) for s in self.map_shapes]
        x = _reshaped(x, shapes[-1])
        for i in reversed(range(len(self.levels))):
            added = self.maps[i](z[i])
            # Dense layers compute in full precision, others may not.
            if self.concatenates:
                added = tf.cast(_reshaped(self.act(added), shapes[i]), x.dtype)
                x = tf.concat([x, added], -1)
            else:
                x = tf.cast(x, added.dtype) + _reshaped(added, shapes[i])
                if i == len(self.levels) - 1:
                    x = tf.reshape(self.act(self.lift(x)), [
                        -1, self.base_size, self.base_size, x.shape[-1]])
            x = self._down(x, i)
        return tf.tanh(tf.cast(x, self.variable_dtype))

    def _down(self, x, i):
        *layers, last = self.levels[i]
        for layer in layers:
            x = self.act(layer(x))
        x = last(x)
        return self.act(x) if self.concatenates and i else x

    def get_config(self):
        return {**super().get_config(), "latent_dims": self.latent_dims,
                "image_shape": self.image_shape, "channels": self.channels,
                "hidden_units": self.hidden_units, "merge": self.merge,
                "base_size": self.base_size, "activation": self.activation,
                "seed": self.seed}


@keras.saving.register_keras_serializable(package="lebm_tf")
class LadderEncoder(_Ladder):
    """Means and log standard deviations of every layer, from an image.

    A trunk of pairs of convolutions (k4 stride 2, k3). Before each pair, a
    branch of another such pair and two dense layers encode one layer; two dense
    layers at the end of the trunk encode the top layer. The heads give log
    variances. The convolutions of the authors' release are not public; plain
    ones with leaky ReLU are used here.

    Args:
        latent_dims: Width of every layer, next to the image first.
        image_shape: (height, width, channels).
        channels: Channels of the feature maps, next to the image first, one for
            each layer except the top.
        hidden_units: Width of the dense layers of the top.
        activation: One of `activations.ACTIVATIONS`.
        seed: Seed of the initial weights.

    Call arguments:
        x: Images in [-1, 1], float [batch, height, width, channels].

    Returns:
        (means, log_scales), tuples of float32 [batch, width] for each layer.

    Raises:
        ValueError: If `channels` has another length.
    """

    def __init__(self, latent_dims, image_shape, channels,
                 hidden_units: int = 256, activation: str = "leaky_relu",
                 seed: int = 0, **kwargs):
        super().__init__(seed, activation, **kwargs)
        self.latent_dims, self.channels = tuple(latent_dims), tuple(channels)
        self.image_shape, self.hidden_units = tuple(image_shape), hidden_units
        if len(self.channels) != len(self.latent_dims) - 1:
            raise ValueError(
                "channels must have one number for each layer except the top, "
                f"got {len(self.channels)} for {len(self.latent_dims)} layers.")
        self.branches, self.trunk, flat = [], [], []
        shape = (None, *image_shape)
        for i, units in enumerate(self.channels):
            branch, made = self._pair(f"branch_{i}", shape, units)
            self.branches.append(branch)
            flat.append(_size(made[1:]))
            pair, shape = self._pair(f"trunk_{i}", shape, units)
            self.trunk.append(pair)
        self.top = [self._dense("top_0", _size(shape[1:]), hidden_units),
                    self._dense("top_1", hidden_units, hidden_units)]
        self.heads = [
            [self._dense(f"{name}_{i}", fan_in, width)
             for name in ("mean", "log_variance")]
            for i, (fan_in, width) in enumerate(zip(
                [*flat, hidden_units], self.latent_dims))]
        self.built = True

    def _pair(self, name, shape, units):
        first, shape = self._conv(keras.layers.Conv2D, f"{name}_0", shape,
                                  units, 4, 2)
        second, shape = self._conv(keras.layers.Conv2D, f"{name}_1", shape,
                                   units, 3, 1)
        return [first, second], shape

    def call(self, x: tf.Tensor) -> tuple[tuple, tuple]:
        features = []
        for branch, pair in zip(self.branches, self.trunk):
            features.append(_flat(self._through(branch, x)))
            x = self._through(pair, x)
        features.append(self._through(self.top, _flat(x)))
        encoded = [[head(tf.cast(values, self.variable_dtype))
                    for head in heads]
                   for heads, values in zip(self.heads, features)]
        return (tuple(mean for mean, _ in encoded),
                tuple(0.5 * log_variance for _, log_variance in encoded))

    def _through(self, layers, x):
        for layer in layers:
            x = self.act(layer(x))
        return x

    def get_config(self):
        return {**super().get_config(), "latent_dims": self.latent_dims,
                "image_shape": self.image_shape, "channels": self.channels,
                "hidden_units": self.hidden_units, "seed": self.seed,
                "activation": self.activation}


def check_ladder(latent_dims: tuple, image_shape: tuple, channels: tuple,
                 base_size: int, merge: str) -> None:
    """Checks that a `LadderGenerator` makes images of this shape.

    Raises:
        ValueError: If it does not; names the size that it makes.
    """
    if merge not in MERGES:
        raise ValueError(f"merge must be one of {', '.join(MERGES)}, got "
                         f"{merge!r}.")
    wanted = len(latent_dims) - (merge == "add")
    if len(channels) != wanted:
        raise ValueError(
            f"channels must have {wanted} numbers for {len(latent_dims)} "
            f"layers with merge={merge}, got {len(channels)}.")
    side = base_size * 2**(len(latent_dims) - 1)
    if tuple(image_shape[:2]) != (side, side):
        raise ValueError(
            f"the generator makes {side}x{side} images (base_size {base_size}, "
            f"{len(latent_dims)} layers), got images of "
            f"{image_shape[0]}x{image_shape[1]}.")


def _size(shape) -> int:
    return tf.TensorShape(shape).num_elements()


def _flat(x):
    return tf.reshape(x, [-1, _size(x.shape[1:])])


def _reshaped(x, shape):
    return tf.reshape(x, [-1, *shape[1:]])
