"""A flow over vectors with learned rotations between its couplings."""

import keras
import tensorflow as tf

from lebm_tf.networks import initializers

COUPLINGS = ("affine", "additive")
LOG_FACTOR = 3.0  # Factor on all learned log scales.
OFFSET = 2.0  # The initial scale of a coupling is sigmoid(2) = 0.88.
_SMALLEST = 1e-6


class ActNorm(keras.layers.Layer):
    """y = (x + b) exp(3 l), elementwise; x is [batch, dim]."""

    def __init__(self, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.bias, self.log_scale = (
            self.add_weight(name=name, shape=(dim,), initializer="zeros")
            for name in ("bias", "log_scale"))
        self.built = True

    def call(self, x):
        return (x + self.bias) * tf.exp(LOG_FACTOR * self.log_scale)

    def inverse(self, y):
        return y * tf.exp(-LOG_FACTOR * self.log_scale) - self.bias

    def growth(self):
        """log |det dy/dx|, []."""
        return LOG_FACTOR * tf.reduce_sum(self.log_scale)

    def initialize(self, x):
        """Sets b and l so that y has mean 0 and variance 1 for these x; returns
        y."""
        bias = -tf.reduce_mean(x, 0)
        root = tf.sqrt(tf.reduce_mean(tf.square(x + bias), 0))
        self.bias.assign(bias)
        self.log_scale.assign(-tf.math.log(root + _SMALLEST) / LOG_FACTOR)
        return self(x)


class _CouplingNetwork(keras.layers.Layer):
    """Two hidden layers with actnorm in place of a bias, then ReLU; the last
    layer starts at 0 and is multiplied by exp(3 l)."""

    def __init__(self, fan_in, units, outputs, seed, **kwargs):
        super().__init__(**kwargs)
        widths = (fan_in, units, units)
        self.kernels = [self.add_weight(
            name=f"kernel_{i}", shape=(rows, columns),
            initializer=keras.initializers.RandomNormal(
                stddev=0.05, seed=initializers.derive_seed(
                    seed, f"kernel_{i}")))
            for i, (rows, columns) in enumerate(zip(widths, widths[1:]))]
        self.norms = [ActNorm(units, dtype=self.dtype_policy, name=f"norm_{i}")
                      for i in range(2)]
        self.head, self.bias, self.log_scale = (
            self.add_weight(name=name, shape=shape, initializer="zeros")
            for name, shape in (("head", (units, outputs)),
                                ("bias", (outputs,)),
                                ("log_scale", (outputs,))))
        self.built = True

    def call(self, x):
        return self._through(x, lambda norm, x: norm(x))

    def initialize(self, x):
        return self._through(x, lambda norm, x: norm.initialize(x))

    def _through(self, x, normalize):
        for kernel, norm in zip(self.kernels, self.norms):
            x = tf.nn.relu(normalize(norm, tf.matmul(x, kernel)))
        return (tf.matmul(x, self.head) + self.bias) * tf.exp(
            LOG_FACTOR * self.log_scale)


@keras.saving.register_keras_serializable(package="lebm_tf")
class LatentGlow(keras.layers.Layer):
    """An invertible map of vectors: actnorm, rotation and coupling, repeated.

    Kingma and Dhariwal 2018, arXiv:1807.03039, for vectors: model.py of Xie et
    al. 2023, arXiv:2301.09300, whose direction z -> e is `inverse` here. A step
    is (z + b) exp(3 l), then z W with W initialized as a random rotation, then
    z2 <- (z2 + shift(z1)) sigmoid(s(z1) + 2) for the second half. Computed in
    float32 under mixed precision.

    Args:
        dim: Dimension of the vectors, even, at least 2.
        num_steps: Number of steps, at least 1.
        hidden_units: Width of the two hidden layers of each coupling network.
        coupling: affine, or additive (without a scale).
        seed: Seed of initial weights.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, dim: int, num_steps: int = 5, hidden_units: int = 64,
                 coupling: str = "affine", seed: int = 0, **kwargs):
        kwargs.setdefault("dtype", keras.config.floatx())
        super().__init__(**kwargs)
        if dim < 2 or dim % 2:
            raise ValueError("a flow of coupling layers needs an even "
                             f"dimension of at least 2, got {dim}.")
        if num_steps < 1 or hidden_units < 1:
            raise ValueError("num_steps and hidden_units must be >= 1, got "
                             f"{num_steps} and {hidden_units}.")
        if coupling not in COUPLINGS:
            raise ValueError(f"coupling must be one of {', '.join(COUPLINGS)},"
                             f" got {coupling!r}.")
        self.dim, self.num_steps, self.seed = dim, num_steps, seed
        self.hidden_units, self.coupling = hidden_units, coupling
        outputs = dim if coupling == "affine" else dim // 2
        derive = initializers.derive_seed
        self.norms = [ActNorm(dim, dtype=self.dtype_policy, name=f"norm_{k}")
                      for k in range(num_steps)]
        self.rotations = [self.add_weight(
            name=f"rotation_{k}", shape=(dim, dim),
            initializer=keras.initializers.Orthogonal(
                seed=derive(seed, f"rotation_{k}")))
            for k in range(num_steps)]
        self.networks = [_CouplingNetwork(
            dim // 2, hidden_units, outputs, derive(seed, f"coupling_{k}"),
            dtype=self.dtype_policy, name=f"coupling_{k}")
            for k in range(num_steps)]
        self.built = True

    def inverse(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(u, log |det du/dx|), float [batch, dim] and [batch], of x."""
        growth = tf.zeros_like(x[:, 0])
        for norm, rotation, network in self._steps():
            x = tf.matmul(norm(x), rotation)
            kept, moved = tf.split(x, 2, -1)
            shift, scale, log_scale = self._moments(network(kept))
            x = tf.concat([kept, (moved + shift) * scale], -1)
            growth += (norm.growth() + log_determinant(rotation)
                       + tf.reduce_sum(log_scale, -1))
        return x, growth

    def call(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(x, log |det dx/du|), float [batch, dim] and [batch], of u."""
        growth = tf.zeros_like(u[:, 0])
        for norm, rotation, network in reversed(list(self._steps())):
            kept, moved = tf.split(u, 2, -1)
            shift, scale, log_scale = self._moments(network(kept))
            u = tf.concat([kept, moved / scale - shift], -1)
            u = norm.inverse(tf.matmul(u, tf.linalg.inv(rotation)))
            growth -= (norm.growth() + log_determinant(rotation)
                       + tf.reduce_sum(log_scale, -1))
        return u, growth

    def initialize(self, x: tf.Tensor) -> None:
        """Sets all actnorms so that their outputs for x, [batch, dim], have
        mean 0 and variance 1: the data-dependent initialization of Glow."""
        for norm, rotation, network in self._steps():
            x = tf.matmul(norm.initialize(x), rotation)
            kept, moved = tf.split(x, 2, -1)
            shift, scale, _ = self._moments(network.initialize(kept))
            x = tf.concat([kept, (moved + shift) * scale], -1)

    def _steps(self):
        return zip(self.norms, map(tf.convert_to_tensor, self.rotations),
                   self.networks)

    def _moments(self, values):
        """Shift, scale and log scale of the second half."""
        if self.coupling == "additive":
            return values, 1.0, tf.zeros_like(values)
        logits = values[:, 1::2] + OFFSET
        return (values[:, 0::2], tf.sigmoid(logits),
                tf.math.log_sigmoid(logits))

    def get_config(self):
        return {**super().get_config(), "dim": self.dim,
                "num_steps": self.num_steps, "coupling": self.coupling,
                "hidden_units": self.hidden_units, "seed": self.seed}


@tf.custom_gradient
def log_determinant(matrix):
    """log |det| and its gradient, by operations that XLA supports."""
    def gradient(upstream):
        return upstream * tf.transpose(tf.linalg.inv(matrix))
    diagonal = tf.linalg.diag_part(tf.linalg.qr(matrix).r)
    return tf.reduce_sum(tf.math.log(tf.abs(diagonal))), gradient
