"""The network of a small ladder variational autoencoder."""

from typing import Any

import keras
import tensorflow as tf

from lebm_tf.networks import initializers

_CLAMP = 5.0
_FLOOR = 0.01


@keras.saving.register_keras_serializable(package="lebm_tf")
class LadderNetwork(keras.layers.Layer):
    """Groups of feature maps, drawn from coarse to fine, and their encoder.

    The decoder starts from a learned map. At every group a head predicts a
    Gaussian from its state, z is drawn and merged, and a residual cell follows.
    The encoder computes features of every size bottom-up and combines them with
    the same state top-down: Sonderby et al. 2016, arXiv:1602.02282, with the
    heads and clamps of Vahdat and Kautz 2020, arXiv:2007.03898, but shallow. It
    has the interface of `networks.hierarchy`.

    Args:
        image_shape: (height, width, channels) of square images.
        group_sides: Side of the maps of every group, next to the image first:
            each equal to the next or twice as large, and the image 1, 2, 4, ...
            times the first.
        group_channels: Channels of the maps of every group.
        channels: Channels of all other maps.
        seed: Seed of the initial weights.

    Raises:
        ValueError: If sides do not fit, or a number is below 1.
    """

    def __init__(self, image_shape, group_sides, group_channels,
                 channels: int = 32, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.image_shape, self.channels = tuple(image_shape), channels
        self.group_sides = tuple(group_sides)
        self.group_channels = tuple(group_channels)
        self.seed = seed
        self._check()
        self.group_shapes = tuple(
            (side, side, width) for side, width in reversed(list(zip(
                self.group_sides, self.group_channels))))
        self.first = self.add_weight(
            name="first", shape=(*self.group_shapes[0][:2], channels),
            initializer=keras.initializers.RandomNormal(
                0.0, 1.0, initializers.derive_seed(seed, "first")))
        sides = [shape[0] for shape in self.group_shapes]
        count = range(len(sides))
        self.ups: list[Any] = [
            self._conv(f"up_{i}", channels, channels)
            if i and sides[i] != sides[i - 1] else None for i in count]
        self.priors = [self._head(f"prior_{i}", channels, 2 * width)
                       if i else None
                       for i, (_, _, width) in enumerate(self.group_shapes)]
        self.merges = [self._conv(f"merge_{i}", channels + shape[-1], channels)
                       for i, shape in enumerate(self.group_shapes)]
        self.cells = [self._cell(f"cell_{i}") for i in count]
        self.last_ups, side = [], sides[-1]
        while side < image_shape[0]:
            self.last_ups.append((
                self._conv(f"last_up_{side}", channels, channels),
                self._cell(f"last_cell_{side}")))
            side *= 2
        self.image = self._head("image", channels, image_shape[-1])
        self.stem = self._conv("stem", image_shape[-1], channels)
        self.downs, side = [], image_shape[0]
        while side > sides[0]:
            self.downs.append(self._conv(
                f"down_{side}", channels, channels, 4, 2))
            side //= 2
        self.posteriors = [
            self._head(f"posterior_{i}", 2 * channels, 2 * shape[-1])
            for i, shape in enumerate(self.group_shapes)]
        self.built = True

    def _check(self):
        numbers = (*self.group_sides, *self.group_channels, self.channels)
        if len(self.group_sides) != len(self.group_channels) or not (
                self.group_sides):
            raise ValueError(
                "group_channels must hold one number for each of the "
                f"{len(self.group_sides)} groups of group_sides, got "
                f"{len(self.group_channels)}.")
        if min(numbers) < 1:
            raise ValueError("group_sides, group_channels and channels must "
                             f"be >= 1, got {min(numbers)}.")
        height, width = self.image_shape[:2]
        sides = [height, *self.group_sides]
        fits = height == width and all(
            below in (above, 2 * above)
            for below, above in zip(sides[1:], sides[2:]))
        ratio = height / self.group_sides[0]
        if not fits or ratio not in (1, 2, 4, 8, 16, 32):
            raise ValueError(
                "group_sides must each be as large as the next or twice that, "
                "and a square image 1, 2, 4, ... times the first, got "
                f"{', '.join(map(str, self.group_sides))} for images of "
                f"{height}x{width}.")

    def _conv(self, name, fan_in, units, size=3, stride=1, dtype=None):
        derive = initializers.derive_seed
        layer = keras.layers.Conv2D(
            units, size, strides=stride, padding="same", name=name,
            kernel_initializer=initializers.xavier_normal(
                derive(self.seed, name + "/kernel")),
            bias_initializer=initializers.bound(
                fan_in * size * size, derive(self.seed, name + "/bias")),
            dtype=dtype or self.dtype_policy)
        layer.build((None, None, None, fan_in))
        return layer

    def _head(self, name, fan_in, units):
        """A convolution in full precision, for densities and images."""
        return self._conv(name, fan_in, units, dtype=self.variable_dtype)

    def _cell(self, name):
        return [self._conv(f"{name}_{k}", self.channels, self.channels)
                for k in range(2)]

    def walk(self, choose, num_rows) -> tf.Tensor:
        """Top-down pass through all groups; see `networks.hierarchy`."""
        state = tf.cast(tf.repeat(
            tf.convert_to_tensor(self.first)[None], num_rows, 0),
            self.compute_dtype)
        for i, shape in enumerate(self.group_shapes):
            if self.ups[i] is not None:
                state = self.ups[i](_doubled(state))
            z = choose(i, *self._prior(i, state, num_rows, shape), state)
            state = self.merges[i](tf.concat(
                [state, tf.cast(z, state.dtype)], -1))
            state = _residual(self.cells[i], state)
        for up, cell in self.last_ups:
            state = _residual(cell, up(_doubled(state)))
        return tf.tanh(self.image(self._full(tf.nn.elu(state))))

    def _prior(self, i, state, num_rows, shape):
        """Mean and scale of group i; N(0, I) for the first."""
        if not i:
            zeros = tf.zeros([num_rows, *shape], self.variable_dtype)
            return zeros, tf.ones_like(zeros)
        mean, h = tf.split(self.priors[i](
            self._full(tf.nn.elu(state))), 2, -1)
        return _clamped(mean), tf.exp(_clamped(h)) + _FLOOR

    def features(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Feature maps with the side of every group, in the order of drawing.
        """
        x = self.stem(x)
        found = {x.shape[1]: x}
        for down in self.downs:
            x = down(tf.nn.elu(x))
            found[x.shape[1]] = x
        return [found[shape[0]] for shape in self.group_shapes]

    def posterior(self, i: int, features: list, state: tf.Tensor
                  ) -> tuple[tf.Tensor, tf.Tensor]:
        """(m, h) of the noise of group i: N(m, exp(h)^2)."""
        m, h = tf.split(self.posteriors[i](self._full(tf.nn.elu(
            tf.concat([features[i], state], -1)))), 2, -1)
        return m, _clamped(h)

    def _full(self, x):
        return tf.cast(x, self.variable_dtype)

    def get_config(self):
        return {**super().get_config(), "image_shape": self.image_shape,
                "group_sides": self.group_sides, "channels": self.channels,
                "group_channels": self.group_channels, "seed": self.seed}


def _doubled(x):
    """Repeats every pixel twice in both directions."""
    return tf.repeat(tf.repeat(x, 2, 1), 2, 2)


def _residual(cell, x):
    first, second = cell
    return x + second(tf.nn.elu(first(tf.nn.elu(x))))


def _clamped(x):
    return _CLAMP * tf.tanh(x / _CLAMP)
