"""The residual energy network of recovery likelihood, for images and vectors.
"""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers
from lebm_tf.networks.spectral_norm import SpectralLayer
from lebm_tf.networks.time_embedding import sinusoidal_embedding

_ALMOST_ZERO = 1e-10


@keras.saving.register_keras_serializable(package="lebm_tf")
class ResidualEnergy(keras.layers.Layer):
    """f(y, time), one number per row; high where y is probable.

    An input layer, blocks of two layers with a shortcut, where the time
    embedding is added between the two, and 2 x 2 mean pooling between
    resolutions; then the sum over the map, times a vector computed from the
    time. For vectors all layers are dense, there is no pooling, and the output
    layer is dense. Kernels have spectral norm 1, except the last two. Gao et
    al. 2021, arXiv:2012.08125, official network.py (net_res_temb2) and nn.py;
    with `activates_time` and without `starts_small` and `has_head_bias` it is
    the network of Zhu et al. 2024, arXiv:2309.05153, official models/ebm.py and
    toy_example.py.

    Args:
        shape: Shape of y: (height, width, channels), or (width,).
        channels: Base width, which `multipliers` refer to.
        multipliers: Relative width of the blocks at each resolution.
        num_blocks: Residual blocks per resolution.
        embedding_dim: Width of the time embedding, even, >= 4; its network is 4
            times as wide.
        activation: Activation of all layers but the last, of
            `activations.ACTIVATIONS`.
        final_activation: Activation of the last layer.
        spectral_norm: Whether kernels are normalized.
        activates_time: Whether the time embedding passes one more activation
            before it is added.
        starts_small: Whether the second layer of a block starts near 0, and its
            norm may stay below 1.
        has_head_bias: Whether the vector computed from the time has a bias.
        seed: Seed of initial weights.

    Call arguments:
        y: float [batch, *shape].
        time: float [batch].

    Returns:
        float32 [batch], or the dtype of the weights.

    Raises:
        ValueError: If sides cannot be halved that often, or a number is out of
            range.
    """

    def __init__(self, shape: tuple, channels: int = 128,
                 multipliers: tuple = (1, 2, 2, 2), num_blocks: int = 8,
                 embedding_dim: int = 128, activation: str = "leaky_relu",
                 final_activation: str = "relu", spectral_norm: bool = True,
                 activates_time: bool = False, starts_small: bool = True,
                 has_head_bias: bool = True, seed: int = 0, **kwargs):
        # Positions, times and energies keep their dtype.
        super().__init__(autocast=False, **kwargs)
        self.shape, self.multipliers = tuple(shape), tuple(multipliers)
        if len(self.shape) not in (1, 3):
            raise ValueError("y must be images or vectors, got shape "
                             f"{list(self.shape)}.")
        if num_blocks < 1 or channels < 1 or min(multipliers, default=0) < 1:
            raise ValueError(
                "channels, multipliers and num_blocks must be >= 1, got "
                f"{channels}, {self.multipliers} and {num_blocks}.")
        self.halvings = len(self.multipliers) - 1 if self.is_picture else 0
        if any(side % 2**self.halvings for side in self.shape[:-1]):
            raise ValueError(
                f"{len(self.multipliers)} multipliers need image sides that "
                f"are multiples of {2**self.halvings}, got "
                f"{self.shape[0]}x{self.shape[1]}.")
        self.channels, self.num_blocks = channels, num_blocks
        self.embedding_dim = embedding_dim
        self.activation, self.final_activation = activation, final_activation
        self.act, self.final_act = map(
            activations.get, (activation, final_activation))
        self.spectral_norm, self.activates_time = spectral_norm, activates_time
        self.starts_small, self.has_head_bias = starts_small, has_head_bias
        self.seed = seed
        self._make_layers()
        self.built = True

    @property
    def is_picture(self) -> bool:
        """Whether y is an image."""
        return len(self.shape) == 3

    def _make_layers(self):
        wide, size = 4 * self.embedding_dim, 3 * self.is_picture
        exact = {"dtype": self.variable_dtype}
        self.time = [
            self._layer("time_0", self.embedding_dim, wide, **exact),
            self._layer("time_1", wide, wide, **exact)]
        self.first = self._layer(
            "first", self.shape[-1], self.channels, size)
        # One flat list, which checkpoints track; blocks are slices of it.
        self.layers, self.ends, fan_in = [], [], self.channels
        for level, multiplier in enumerate(self.multipliers):
            units = self.channels * multiplier
            for i in range(self.num_blocks):
                name = f"block_{level}_{i}"
                self.layers += [
                    self._layer(name + "_a", fan_in, units, size),
                    self._layer(name + "_time", wide, units, **exact),
                    self._layer(name + "_b", units, units, size,
                                keeps_small=self.starts_small,
                                first_scale=_ALMOST_ZERO if (
                                    self.starts_small) else 1.0)]
                if fan_in != units:
                    self.layers.append(self._layer(
                        name + "_shortcut", fan_in, units, size))
                self.ends.append(len(self.layers))
                fan_in = units
        self.gains = [self.add_weight(
            name=f"gain_{i}", shape=(self.layers[end - 1].units,),
            initializer="ones") for i, end in enumerate(self.ends)]
        self.head = self._layer(
            "head", wide, fan_in, normalize=False,
            use_bias=self.has_head_bias, **exact) if self.is_picture else (
                self._layer("head", fan_in, 1, normalize=False,
                            use_bias=self.has_head_bias, **exact))

    def _layer(self, name, fan_in, units, size=0, *, normalize=True,
               dtype=None, **options):
        return SpectralLayer(
            fan_in, units, size, name=name, normalize=normalize and (
                self.spectral_norm), seed=initializers.derive_seed(
                    self.seed, name), dtype=dtype or self.dtype_policy,
            **options)

    def embed(self, time: tf.Tensor) -> tf.Tensor:
        """Time embedding for the blocks, [batch, 4 embedding_dim]."""
        # In float32 the sine of a time up to 1,000 is accurate to 1e-4 only.
        waves = tf.cast(sinusoidal_embedding(
            tf.cast(time, tf.float64), self.embedding_dim),
            self.variable_dtype)
        return self.time[1](self.act(self.time[0](waves)))

    def call(self, y: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        told = self.act(self.embed(time))
        x = self.first(tf.cast(y, self.compute_dtype))
        begin = 0
        for i, end in enumerate(self.ends):
            if self.is_picture and i and not i % self.num_blocks:
                x = tf.nn.avg_pool2d(x, 2, 2, "VALID")
            x = self._block(x, told, self.layers[begin:end], self.gains[i])
            begin = end
        x = tf.cast(self.final_act(x), self.variable_dtype)
        if not self.is_picture:
            return self.head(x)[:, 0]
        return tf.reduce_sum(tf.reduce_sum(x, [1, 2]) * self.head(told), -1)

    def _block(self, x, told, layers, gain):
        first, time, second, *shortcut = layers
        added = time(told)
        if self.activates_time:
            added = self.act(added)
        if self.is_picture:
            added = added[:, None, None]
        inner = first(self.act(x)) + tf.cast(added, x.dtype)
        inner = tf.cast(gain, x.dtype) * second(self.act(inner))
        return inner + (shortcut[0](x) if shortcut else x)

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for (
            name) in ("shape", "channels", "multipliers", "num_blocks",
                      "embedding_dim", "activation", "final_activation",
                      "spectral_norm", "activates_time", "starts_small",
                      "has_head_bias", "seed")}}


@keras.saving.register_keras_serializable(package="lebm_tf")
class LevelEnergy(keras.layers.Layer):
    """E(y, t) = -f(y, time_t) at noise level t.

    Without a level, it is the energy of an observation x at level 0, with y =
    a_1 x.

    Args:
        network: Layer, (y, time) -> f [batch].
        times: Time value of each level for the network.
        scale: a_1, the ratio y / x at level 0.

    Call arguments:
        y: float [batch, ...].
        level: int32 [batch], from 0; None for observations.

    Returns:
        float [batch].
    """

    def __init__(self, network: keras.layers.Layer, times: tuple,
                 scale: float, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.network, self.times = network, tuple(times)
        self.scale = scale
        self.built = True

    def call(self, y: tf.Tensor, level: tf.Tensor | None = None) -> tf.Tensor:
        if level is None:
            level, y = tf.zeros(tf.shape(y)[:1], tf.int32), self.scale * y
        return -tf.cast(self.network(
            y, tf.gather(tf.constant(self.times, y.dtype), level)), y.dtype)

    def get_config(self):
        return {**super().get_config(), "times": self.times,
                "network": keras.saving.serialize_keras_object(self.network),
                "scale": self.scale}

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        return cls(keras.saving.deserialize_keras_object(
            config.pop("network")), **config)
