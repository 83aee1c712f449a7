"""Networks of a diffusion model of latent vectors.

They follow diffusion_net.py of the public code of Yu et al. 2023,
arXiv:2310.03218.
"""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers
from lebm_tf.networks.normalization import InstanceNorm
from lebm_tf.networks.time_embedding import sinusoidal_embedding

_TIMES = 1000.0  # Factor on a time in (0, 1) before its embedding.


class GatedDense(keras.layers.Layer):
    """y = FC(x) sigmoid(FC(e)) + FC(e) + FC(x), e = silu(FC(silu(context))).

    Args:
        fan_in, context_dim: Widths of x and of the context.
        units: Width of y.
        seed: Seed of initial weights.
    """

    def __init__(self, fan_in: int, context_dim: int, units: int, seed: int,
                 **kwargs):
        super().__init__(**kwargs)
        self.context_layer = _dense(self, units, context_dim, seed, "context")
        self.gate = _dense(self, units, units, seed, "gate")
        self.shift = _dense(self, units, units, seed, "shift", use_bias=False)
        self.main = _dense(self, units, fan_in, seed, "main")
        self.skip = _dense(self, units, fan_in, seed, "skip")
        self.built = True

    def call(self, x, context):
        e = tf.nn.silu(self.context_layer(tf.nn.silu(context)))
        return (self.main(x) * tf.sigmoid(self.gate(e)) + self.shift(e)
                + self.skip(x))


@keras.saving.register_keras_serializable(package="lebm_tf")
class LatentDenoiser(keras.layers.Layer):
    """Predicts the noise in a noised latent vector, given time and context.

    Gated dense layers down and up again, with skip connections, on [sin(2 pi z
    B), cos(2 pi z B), z], where B is learned. Computed in float32 under mixed
    precision.

    Args:
        latent_dim: Dimension of z, at least 2.
        context_dim: Width of the context, at least 1.
        time_dim: Width of the time embedding, even, at least 4.
        widths: Widths of the outer and of the inner layers, two numbers >= 1.
        residual: Whether the noise is z plus the output of the layers.
        seed: Seed of initial weights.

    Call arguments:
        z: float [batch, latent_dim].
        time: In (0, 1), float [batch].
        context: float [batch, context_dim].

    Returns:
        float [batch, latent_dim].

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, latent_dim: int, context_dim: int = 1024,
                 time_dim: int = 128, widths: tuple = (128, 256),
                 residual: bool = True, seed: int = 0, **kwargs):
        kwargs.setdefault("dtype", keras.config.floatx())
        super().__init__(**kwargs)
        if latent_dim < 2 or context_dim < 1:
            raise ValueError("latent_dim must be >= 2 and context_dim >= 1, "
                             f"got {latent_dim} and {context_dim}.")
        if len(widths) != 2 or min(widths) < 1:
            raise ValueError("widths must be two numbers >= 1, got "
                             f"{tuple(widths)}.")
        if time_dim < 4 or time_dim % 2:
            raise ValueError(f"time_dim must be even and >= 4, got "
                             f"{time_dim}.")
        self.latent_dim, self.context_dim = latent_dim, context_dim
        self.time_dim, self.widths = time_dim, tuple(widths)
        self.residual, self.seed = residual, seed
        num_waves, (outer, inner) = latent_dim // 2, widths
        self.waves = self.add_weight(
            name="waves", shape=(latent_dim, num_waves),
            initializer=keras.initializers.RandomNormal(
                stddev=1.0, seed=initializers.derive_seed(seed, "waves")))
        self.time_layers = [
            _dense(self, time_dim, time_dim, seed, f"time_{i}")
            for i in range(2)]
        self.down, self.middle, self.up = ([
            GatedDense(fan_in, time_dim + context_dim, units,
                       initializers.derive_seed(seed, f"{name}_{i}"),
                       dtype=self.dtype_policy, name=f"{name}_{i}")
            for i, (fan_in, units) in enumerate(sizes)]
            for name, sizes in (
                ("down", ((2 * num_waves + latent_dim, outer),
                          (outer, inner), (inner, inner))),
                ("middle", ((inner, inner),)),
                ("up", ((2 * inner, inner), (2 * inner, outer),
                        (2 * outer, latent_dim)))))
        self.built = True

    def call(self, z, time, context):
        context = tf.concat([self.embedded_time(time), context], -1)
        x, skips = self.features(z), []
        for layer in self.down:
            x = activations.gentle_leaky_relu(layer(x, context))
            skips.append(x)
        for layer in self.middle:
            x = activations.gentle_leaky_relu(layer(x, context))
        for i, layer in enumerate(self.up):
            x = layer(tf.concat([x, skips.pop()], -1), context)
            if i < len(self.up) - 1:
                x = activations.gentle_leaky_relu(x)
        return z + x if self.residual else x

    def features(self, z):
        """[sin, cos, z], the input of the first layer."""
        angles = 2.0 * tf.constant(3.141592653589793, z.dtype) * tf.matmul(
            z, self.waves)
        return tf.concat([tf.sin(angles), tf.cos(angles), z], -1)

    def embedded_time(self, time):
        """Time embedding, float [batch, time_dim]."""
        first, second = self.time_layers
        return second(tf.nn.silu(first(sinusoidal_embedding(
            _TIMES * time, self.time_dim))))

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "context_dim": self.context_dim, "time_dim": self.time_dim,
                "widths": self.widths, "residual": self.residual,
                "seed": self.seed}


@keras.saving.register_keras_serializable(package="lebm_tf")
class NoiseContext(keras.layers.Layer):
    """The context without x, from noise; float32 under mixed precision.

    Args:
        noise_dim, context_dim: Widths of noise and context, at least 1.
        hidden_units: Width of the hidden layer.
        seed: Seed of initial weights.
    """

    def __init__(self, noise_dim: int, context_dim: int,
                 hidden_units: int = 128, seed: int = 0, **kwargs):
        kwargs.setdefault("dtype", keras.config.floatx())
        super().__init__(**kwargs)
        self.noise_dim, self.context_dim = noise_dim, context_dim
        self.hidden_units, self.seed = hidden_units, seed
        self.hidden = _dense(self, hidden_units, noise_dim, seed, "hidden")
        self.head = _dense(self, context_dim, hidden_units, seed, "head")
        self.built = True

    def call(self, noise):
        return self.head(activations.gentle_leaky_relu(self.hidden(noise)))

    def get_config(self):
        return {**super().get_config(), "noise_dim": self.noise_dim,
                "context_dim": self.context_dim, "seed": self.seed,
                "hidden_units": self.hidden_units}


@keras.saving.register_keras_serializable(package="lebm_tf")
class ContextEncoder(keras.layers.Layer):
    """The context of an image: convolutions with instance norm.

    A k3 layer, a k4 layer that halves the side for each further entry of
    `channels`, with instance norm and leaky ReLU after each, then a dense
    layer.

    Args:
        image_shape: (height, width, channels) of the images.
        context_dim: Width of the context, at least 1.
        channels: Channels of the feature maps, first to last.
        seed: Seed of initial weights.

    Call arguments:
        x: Images in [-1, 1], float [batch, height, width, channels].

    Returns:
        float32 [batch, context_dim].

    Raises:
        ValueError: If widths are below 1, or the last map is smaller than 2x2.
    """

    def __init__(self, image_shape: tuple, context_dim: int = 1024,
                 channels: tuple = (64, 128, 256, 512), seed: int = 0,
                 **kwargs):
        super().__init__(**kwargs)
        if not channels or min(*channels, context_dim) < 1:
            raise ValueError("channels and context_dim must be >= 1, got "
                             f"{tuple(channels)} and {context_dim}.")
        self.image_shape, self.channels = tuple(image_shape), tuple(channels)
        self.context_dim, self.seed = context_dim, seed
        height, width, fan_in = image_shape
        self.layers, self.norms = [], []
        for i, units in enumerate(channels):
            size, stride = (4, 2) if i else (3, 1)
            self.layers.append(_convolution(
                self, units, size, stride, fan_in, seed, f"conv_{i}"))
            self.norms.append(InstanceNorm(
                units, epsilon=1e-5, name=f"norm_{i}",
                dtype=self.dtype_policy))
            self.norms[-1].scale.assign(tf.ones([units]))  # As in PyTorch.
            fan_in = units
            if i:
                height, width = height // 2, width // 2
        if min(height, width) < 2:
            raise ValueError(
                "channels must leave a map of at least 2x2, got "
                f"{height}x{width} for images of "
                f"{image_shape[0]}x{image_shape[1]} after {len(channels)} "
                "layers.")
        self.flat = height * width * fan_in
        self.head = initializers.dense(
            context_dim, self.flat, seed, "head", dtype=self.variable_dtype)
        self.head.build((None, self.flat))
        self.built = True

    def call(self, x):
        for layer, norm in zip(self.layers, self.norms):
            # PyTorch's padding, which is "same" only for even sides.
            x = layer(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]))
            x = activations.leaky_relu(norm(x))
        return self.head(tf.reshape(x, [-1, self.flat]))

    def get_config(self):
        return {**super().get_config(), "image_shape": self.image_shape,
                "context_dim": self.context_dim, "channels": self.channels,
                "seed": self.seed}


def _dense(parent, units, fan_in, seed, name, **kwargs):
    layer = initializers.dense(units, fan_in, seed, name,
                               dtype=parent.dtype_policy, **kwargs)
    layer.build((None, fan_in))
    return layer


def _convolution(parent, units, size, stride, fan_in, seed, name):
    derive, fans = initializers.derive_seed, fan_in * size * size
    layer = keras.layers.Conv2D(
        units, size, strides=stride, padding="valid", name=name,
        kernel_initializer=initializers.bound(
            fans, derive(seed, name + "/kernel")),
        bias_initializer=initializers.bound(
            fans, derive(seed, name + "/bias")), dtype=parent.dtype_policy)
    layer.build((None, None, None, fan_in))
    return layer
