"""A network that predicts a less noisy observation from a noisier one."""

import math

import keras
import tensorflow as tf

from lebm_tf.networks import initializers
from lebm_tf.networks.spectral_norm import SpectralLayer
from lebm_tf.networks.time_embedding import sinusoidal_embedding

_MOST_GROUPS, _EPSILON = 32, 1e-6
_ALMOST_ZERO = 1e-10


@keras.saving.register_keras_serializable(package="lebm_tf")
class ResidualProposal(keras.layers.Layer):
    """p(x, time), with the shape of x: x plus a predicted change.

    For vectors: an input layer, residual blocks with group normalization, whose
    scale and shift depend on the time, SiLU, and an output layer: Zhu et al.
    2024, arXiv:2309.05153, official toy_example.py. For images the same blocks
    form a U-Net with one halving fewer than multipliers, as in Ho et al. 2020,
    arXiv:2006.11239, without attention; the authors' own U-Net for images has
    some.

    Args:
        shape: Shape of x: (height, width, channels), or (width,).
        channels: Base width, which `multipliers` refer to.
        multipliers: Relative width of the blocks at each resolution of images;
            for vectors all have the base width.
        num_blocks: Blocks per resolution on the way down; on the way up, level
            0 has one more.
        embedding_dim: Width of the time embedding, even, >= 4.
        seed: Seed of initial weights. For images the predicted change starts
            near 0.

    Call arguments:
        x: float [batch, *shape].
        time: float [batch].

    Returns:
        float [batch, *shape], of the dtype of the weights.

    Raises:
        ValueError: If sides cannot be halved that often, or a number is out of
            range.
    """

    def __init__(self, shape: tuple, channels: int = 64,
                 multipliers: tuple = (1, 2, 2, 2), num_blocks: int = 2,
                 embedding_dim: int = 64, seed: int = 0, **kwargs):
        # Positions, times and energies keep their dtype.
        super().__init__(autocast=False, **kwargs)
        self.shape, self.multipliers = tuple(shape), tuple(multipliers)
        if min((channels, num_blocks, *multipliers), default=0) < 1 or (
                not multipliers):
            raise ValueError(
                "channels, multipliers and num_blocks must be >= 1, got "
                f"{channels}, {self.multipliers} and {num_blocks}.")
        self.is_picture = len(self.shape) == 3
        halved = 2**(len(self.multipliers) - 1)
        if self.is_picture and any(side % halved for side in self.shape[:2]):
            raise ValueError(
                f"{len(self.multipliers)} multipliers need image sides that "
                f"are multiples of {halved}, got "
                f"{self.shape[0]}x{self.shape[1]}.")
        self.channels, self.num_blocks = channels, num_blocks
        self.embedding_dim, self.seed = embedding_dim, seed
        self._make_layers()
        self.built = True

    def _make_layers(self):
        size = 3 * self.is_picture
        wide = self.embedding_dim * (4 if self.is_picture else 1)
        exact = {"dtype": self.variable_dtype}
        self.time = [self._layer("time_0", self.embedding_dim, wide, **exact),
                     self._layer("time_1", wide, wide, **exact)]
        self.first = self._layer(
            "first", self.shape[-1], self.channels, size)
        self.blocks: list[_Block] = []
        widths, fan_in = [self.channels], self.channels

        def block(name, fan_in, units):
            self.blocks.append(_Block(
                fan_in, units, wide, size, initializers.derive_seed(
                    self.seed, name), name=name, dtype=self.dtype_policy))
            return units
        for level, multiplier in enumerate(self._levels()):
            for i in range(self.num_blocks):
                fan_in = block(f"down_{level}_{i}", fan_in,
                               self.channels * multiplier)
                widths.append(fan_in)
        if self.is_picture:
            fan_in = block("middle", fan_in, fan_in)
            for level in reversed(range(len(self.multipliers))):
                for i in range(self.num_blocks + (level == 0)):
                    fan_in = block(f"up_{level}_{i}", fan_in + widths.pop(),
                                   self.channels * self.multipliers[level])
        self.last = self._layer(
            "last", fan_in, self.shape[-1], size, use_bias=self.is_picture,
            first_scale=_ALMOST_ZERO if self.is_picture else 1.0)

    def _levels(self):
        return self.multipliers if self.is_picture else (1,)

    def _layer(self, name, fan_in, units, size=0, *, dtype=None, **options):
        return SpectralLayer(
            fan_in, units, size, normalize=False, name=name,
            seed=initializers.derive_seed(self.seed, name),
            dtype=dtype or self.dtype_policy, **options)

    def call(self, x: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        waves = tf.cast(sinusoidal_embedding(
            tf.cast(time, tf.float64), self.embedding_dim),
            self.variable_dtype)
        told = tf.nn.silu(self.time[1](tf.nn.silu(self.time[0](waves))))
        y = self.first(tf.cast(x, self.compute_dtype))
        blocks, kept = iter(self.blocks), [y]
        for level in range(len(self._levels())):
            if level:
                y = tf.nn.avg_pool2d(y, 2, 2, "VALID")
            for _ in range(self.num_blocks):
                y = next(blocks)(y, told)
                kept.append(y)
        if self.is_picture:
            y = next(blocks)(y, told)
            for level in reversed(range(len(self.multipliers))):
                for _ in range(self.num_blocks + (level == 0)):
                    y = next(blocks)(tf.concat([y, kept.pop()], -1), told)
                if level:
                    y = tf.repeat(tf.repeat(y, 2, 1), 2, 2)
        added = self.last(tf.nn.silu(y))
        return tf.cast(x, self.variable_dtype) + tf.cast(
            added, self.variable_dtype)

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for (
            name) in ("shape", "channels", "multipliers", "num_blocks",
                      "embedding_dim", "seed")}}


class _Block(keras.layers.Layer):
    """Two layers with a shortcut; the time sets scale and shift between them.
    """

    def __init__(self, fan_in, units, time_dim, size, seed, **kwargs):
        super().__init__(autocast=False, **kwargs)
        derive = initializers.derive_seed

        def layer(name, fan_in, units, size=0, dtype=None):
            return SpectralLayer(
                fan_in, units, size, normalize=False, name=name,
                seed=derive(seed, name), dtype=dtype or self.dtype_policy)
        self.norms = [keras.layers.GroupNormalization(
            _num_groups(width, size), epsilon=_EPSILON, name=name,
            dtype=self.variable_dtype)
            for name, width in (("norm_0", fan_in), ("norm_1", units))]
        for norm, width in zip(self.norms, (fan_in, units)):
            norm.build((None, *(None, None)[:size], width))
        self.layers = [layer("first", fan_in, units, size),
                       layer("second", units, units, size)]
        self.time = layer("time", time_dim, 2 * units,
                          dtype=self.variable_dtype)
        self.shortcut = layer("shortcut", fan_in, units, size and 1) if (
            fan_in != units) else None
        self.built = True

    def call(self, x, told):
        scale, shift = tf.split(self.time(told), 2, -1)
        if self.layers[0].size:
            scale, shift = (part[:, None, None] for part in (scale, shift))
        y = self.layers[0](self._cast(tf.nn.silu(self.norms[0](x))))
        y = tf.nn.silu(self.norms[1](y) * (1.0 + scale) + shift)
        y = self.layers[1](self._cast(y))
        return y + (x if self.shortcut is None else self.shortcut(x))

    def _cast(self, x):
        return tf.cast(x, self.compute_dtype)


def _num_groups(width, size):
    """Up to 32 groups that divide the width; for vectors a group has at least
    two numbers, as a single one would be normalized to 0."""
    groups = math.gcd(_MOST_GROUPS, width)
    return groups if size or groups < width else max(1, groups // 2)
