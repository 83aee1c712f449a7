"""A flow over images: Glow."""

import keras
import tensorflow as tf

from lebm_tf.networks import initializers
from lebm_tf.networks.glow import log_determinant


class ConvCoupling(keras.layers.Layer):
    """Shift and bounded log scale of channels, computed from other channels.

    Convolutions 3x3, 1x1 and 3x3, with ReLU in between; the last starts at 0.

    Args:
        in_channels: Number of input channels.
        out_channels: Number of transformed channels.
        channels: Channels of the hidden layers.
        bound: Maximum log scale, > 0.
        seed: Seed of initial weights.
    """

    def __init__(self, in_channels: int, out_channels: int, channels: int,
                 bound: float, seed: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.bound = bound
        widths = (in_channels, channels, channels, 2 * out_channels)
        self.layers = []
        for i, (size, fan_in, units) in enumerate(
                zip((3, 1, 3), widths, widths[1:])):
            layer = keras.layers.Conv2D(
                units, size, padding="same", name=f"conv_{i}",
                kernel_initializer="zeros" if i == 2 else (
                    keras.initializers.HeNormal(
                        initializers.derive_seed(seed, f"conv_{i}"))),
                dtype=self.variable_dtype if i == 2 else self.dtype_policy)
            layer.build((None, None, None, fan_in))
            self.layers.append(layer)
        self.built = True

    def call(self, kept: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(shift, log scale), float32 [batch, height, width, out_channels]."""
        h = kept
        for layer in self.layers[:-1]:
            h = tf.nn.relu(layer(h))
        shift, log_scale = tf.split(self.layers[-1](h), 2, -1)
        return shift, self.bound * tf.tanh(log_scale / self.bound)


class GlowStep(keras.layers.Layer):
    """A coupling, a product of channels with a matrix, and an affine map.

    They are in this order from z to x; Kingma and Dhariwal 2018,
    arXiv:1807.03039, list them from x to z: actnorm, invertible 1x1
    convolution, coupling.

    Args:
        num_channels: Number of channels, even.
        channels, bound, seed: As in `ConvCoupling`.
    """

    def __init__(self, num_channels: int, channels: int, bound: float,
                 seed: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        half, policy = num_channels // 2, self.dtype_policy
        self.coupling = ConvCoupling(
            half, half, channels, bound, seed, name="coupling", dtype=policy)
        self.matrix = self.add_weight(
            name="matrix", shape=(num_channels, num_channels),
            initializer=keras.initializers.Orthogonal(
                seed=initializers.derive_seed(seed, "matrix")))
        self.shift, self.log_scale = (self.add_weight(
            name=name, shape=(num_channels,), initializer="zeros")
            for name in ("shift", "log_scale"))
        self.built = True

    def call(self, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(maps towards x, log |det|), float32."""
        kept, moved = tf.split(h, 2, -1)
        shift, log_scale = self.coupling(kept)
        h = tf.concat([kept, moved * tf.exp(log_scale) + shift], -1)
        h = tf.einsum("bhwc,cd->bhwd", h, tf.convert_to_tensor(self.matrix))
        h = h * tf.exp(self.log_scale) + self.shift
        return h, self._constant(h) + _sum(log_scale)

    def inverse(self, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(maps towards z, log |det|), float32."""
        h = (h - self.shift) * tf.exp(-self.log_scale)
        h = tf.einsum("bhwc,cd->bhwd", h, tf.linalg.inv(
            tf.convert_to_tensor(self.matrix)))
        kept, moved = tf.split(h, 2, -1)
        shift, log_scale = self.coupling(kept)
        h = tf.concat([kept, (moved - shift) * tf.exp(-log_scale)], -1)
        return h, -self._constant(h) - _sum(log_scale)

    def _constant(self, h):
        """The part of log |det| that is equal for all images."""
        places = tf.cast(h.shape[1] * h.shape[2], h.dtype)
        log_det = log_determinant(tf.convert_to_tensor(self.matrix))
        return places * (log_det + tf.reduce_sum(self.log_scale))


@keras.saving.register_keras_serializable(package="lebm_tf")
class PictureGlow(keras.layers.Layer):
    """An invertible map from vectors to flat images: Glow, Kingma and Dhariwal
    2018, arXiv:1807.03039.

    At each level, from x to z, 2x2 pixels become channels, steps follow, and
    half of the channels are split off as a part of z, standardized by a shift
    and a scale computed from the other half.

    Args:
        shape: (height, width, channels) of the images; both sides must be even
            at every level.
        num_levels: Number of levels, at least 1.
        num_steps: Steps per level, at least 1.
        channels: Channels of the convolutions.
        bound: Maximum log scale of one coupling, > 0.
        seed: Seed of initial weights.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, shape: tuple, num_levels: int = 2, num_steps: int = 4,
                 channels: int = 64, bound: float = 2.0, seed: int = 0,
                 **kwargs):
        # The map is invertible in float32 only; inner networks cast.
        super().__init__(autocast=False, **kwargs)
        if min(num_levels, num_steps, channels) < 1 or not bound > 0:
            raise ValueError(
                "num_levels, num_steps and channels must be >= 1 and bound > 0"
                f", got {num_levels}, {num_steps}, {channels} and {bound}.")
        check_halves(shape, num_levels)
        self.shape, self.num_levels = tuple(shape), num_levels
        self.num_steps, self.channels = num_steps, channels
        self.bound, self.seed = bound, seed
        self.dim = shape[0] * shape[1] * shape[2]
        height, width, depth = shape
        self.sizes, self.levels, self.splits = [], [], []
        policy = self.dtype_policy
        for level in range(num_levels):
            height, width, depth = height // 2, width // 2, depth * 4
            self.levels.append([GlowStep(
                depth, channels, bound, initializers.derive_seed(
                    seed, f"step_{level}_{k}"), name=f"step_{level}_{k}",
                dtype=policy) for k in range(num_steps)])
            if level + 1 < num_levels:
                depth //= 2
                self.splits.append(ConvCoupling(
                    depth, depth, channels, bound, initializers.derive_seed(
                        seed, f"split_{level}"), name=f"split_{level}",
                    dtype=policy))
            self.sizes.append((height, width, depth))
        self.built = True

    def call(self, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(x, log |det dx/dz|), float [batch, dim] and [batch], of z."""
        parts = [tf.reshape(part, [-1, *size]) for part, size in zip(
            tf.split(z, [h * w * c for h, w, c in self.sizes], -1),
            self.sizes)]
        h, growth = parts[-1], tf.zeros_like(z[:, 0])
        for level in reversed(range(self.num_levels)):
            if level + 1 < self.num_levels:
                shift, log_scale = self.splits[level](h)
                left = parts[level] * tf.exp(log_scale) + shift
                h = tf.concat([h, left], -1)
                growth += _sum(log_scale)
            for step in reversed(self.levels[level]):
                h, grown = step(h)
                growth += grown
            h = tf.nn.depth_to_space(h, 2)
        return tf.reshape(h, [-1, self.dim]), growth

    def inverse(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(z, log |det dz/dx|), float [batch, dim] and [batch], of x."""
        h = tf.reshape(x, [-1, *self.shape])
        growth, parts = tf.zeros_like(x[:, 0]), []
        for level in range(self.num_levels):
            h = tf.nn.space_to_depth(h, 2)
            for step in self.levels[level]:
                h, grown = step.inverse(h)
                growth += grown
            if level + 1 < self.num_levels:
                h, left = tf.split(h, 2, -1)
                shift, log_scale = self.splits[level](h)
                parts.append((left - shift) * tf.exp(-log_scale))
                growth -= _sum(log_scale)
        return tf.concat([tf.reshape(part, [tf.shape(x)[0], -1])
                          for part in (*parts, h)], -1), growth

    def get_config(self):
        return {**super().get_config(), "shape": self.shape,
                "num_levels": self.num_levels, "num_steps": self.num_steps,
                "channels": self.channels, "bound": self.bound,
                "seed": self.seed}


def check_halves(shape: tuple, num_levels: int) -> None:
    """Raises ValueError unless images can be halved at every level."""
    if len(shape) != 3:
        raise ValueError("a convolutional flow needs images, got shape "
                         f"{tuple(shape)}.")
    height, width = shape[:2]
    if height % 2**num_levels or width % 2**num_levels:
        raise ValueError(
            f"a flow of {num_levels} levels needs image sides that are "
            f"multiples of {2**num_levels}, got {height}x{width}.")


def _sum(values):
    return tf.reduce_sum(values, [1, 2, 3])
