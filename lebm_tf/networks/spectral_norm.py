"""Layers with spectral normalization."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.networks import initializers

_FIRST_ITERATIONS = 30
_MARGIN = 1e-6  # Avoids a division by 0 for a kernel of zeros.


def power_iteration(kernel: tf.Tensor, u: tf.Tensor
                    ) -> tuple[tf.Tensor, tf.Tensor]:
    """A step of power iteration for the largest singular value of a kernel.

    Args:
        kernel: [..., units], as the matrix [-1, units].
        u: [units]; need not have length 1.

    Returns:
        v [-1] and the new u [units], both of length 1. v^T kernel u is a lower
        bound of the largest singular value.
    """
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
    v = tf.math.l2_normalize(tf.linalg.matvec(matrix, u))
    return v, tf.math.l2_normalize(
        tf.linalg.matvec(matrix, v, transpose_a=True))


@keras.saving.register_keras_serializable(package="lebm_tf")
class SpectralLayer(keras.layers.Layer):
    """A dense layer or a k x k convolution with spectral normalization.

    The kernel is W / s(W), with s the largest singular value of W as a matrix
    [-1, units]; Miyato et al. 2018, arXiv:1802.05957. s is v^T W u after one
    power iteration from the stored u; gradients do not flow through u and v.
    Calls do not change u, so all moves of a chain have one target, and graphs
    can be compiled or saved; `EnergyModel` updates it once per step.

    Args:
        fan_in: Channels of the input.
        units: Channels of the output.
        size: Kernel size k of a convolution with padding "same"; 0 for a dense
            layer.
        normalize: Whether the kernel is normalized.
        keeps_small: Whether a norm below 1 is kept: W / s min(s, 1). For
            kernels that start at 0, which could not stay near it otherwise.
        use_bias: Whether to add a bias.
        first_scale: Scale of the initial kernel, U(-b, b) with b = sqrt(3
            first_scale / mean of fan in and fan out), > 0.
        seed: Seed of the network; the name of the layer is folded in.

    Call arguments:
        x: float [batch, fan_in], or [batch, height, width, fan_in].

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, fan_in: int, units: int, size: int = 0, *,
                 normalize: bool = True, keeps_small: bool = False,
                 use_bias: bool = True, first_scale: float = 1.0,
                 seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        if min(fan_in, units) < 1 or size < 0:
            raise ValueError("fan_in and units must be >= 1 and size >= 0, "
                             f"got {fan_in}, {units} and {size}.")
        self.fan_in, self.units, self.size = fan_in, units, size
        self.normalize, self.keeps_small = normalize, keeps_small
        self.use_bias, self.first_scale = use_bias, first_scale
        self.seed = seed
        derive = initializers.derive_seed
        # Not cast: norms need full precision under mixed precision, too.
        self.kernel = self.add_weight(
            name="kernel", autocast=False,
            shape=(*(size, size)[:2 * bool(size)], fan_in, units),
            initializer=keras.initializers.VarianceScaling(
                first_scale, "fan_avg", "uniform",
                seed=derive(seed, self.name + "/kernel")))
        self.bias: Any = self.add_weight(
            name="bias", shape=(units,), initializer="zeros") if (
                use_bias) else None
        self.u = self.add_weight(
            name="u", shape=(units,), trainable=False, autocast=False,
            initializer=self._first_u) if normalize else None
        self.built = True

    def _first_u(self, shape, dtype=None):
        """Approximately the first singular vector of the initial kernel."""
        matrix = np.asarray(self.kernel.numpy()).reshape(-1, self.units)
        u = np.asarray(keras.initializers.RandomNormal(
            seed=initializers.derive_seed(self.seed, self.name + "/u"))(shape))
        for _ in range(_FIRST_ITERATIONS):
            u = matrix.T @ (matrix @ (u / np.linalg.norm(u)))
        return tf.constant(u / np.linalg.norm(u), dtype)

    def renewals(self) -> list[tuple[keras.Variable, tf.Tensor]]:
        """[(u, u after one more power iteration)], or [] without normalization;
        `EnergyModel` assigns it after every step."""
        if not self.normalize:
            return []
        _, u = power_iteration(tf.convert_to_tensor(self.kernel),
                               tf.convert_to_tensor(self.u))
        return [(self.u, u)]

    def normalized(self) -> tf.Tensor:
        """The normalized kernel, in the dtype of the weights."""
        kernel = tf.convert_to_tensor(self.kernel)
        if not self.normalize:
            return kernel
        v, u = map(tf.stop_gradient, power_iteration(
            kernel, tf.convert_to_tensor(self.u)))
        norm = tf.tensordot(v, tf.linalg.matvec(
            tf.reshape(kernel, [-1, self.units]), u), 1)
        if not self.keeps_small:
            return kernel / norm
        norm += _MARGIN
        return kernel / norm * tf.minimum(norm, 1.0)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        kernel = tf.cast(self.normalized(), self.compute_dtype)
        x = tf.nn.conv2d(x, kernel, 1, "SAME") if self.size else (
            tf.matmul(x, kernel))
        return x if self.bias is None else tf.nn.bias_add(x, self.bias)

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for (
            name) in ("fan_in", "units", "size", "normalize", "keeps_small",
                      "use_bias", "first_scale", "seed")}}
