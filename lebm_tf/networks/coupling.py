"""Invertible networks of affine coupling layers."""

import keras
import numpy as np
import tensorflow as tf

from lebm_tf.networks import initializers
from lebm_tf.networks.mlp import VectorMLP


@keras.saving.register_keras_serializable(package="lebm_tf")
class AffineCouplings(keras.layers.Layer):
    """An invertible map of vectors: RealNVP, Dinh et al. 2017,
    arXiv:1605.08803.

    Each coupling keeps one half of the vector, from which it computes a shift
    and a log scale, bounded by `bound`, for the other half; the halves are then
    interleaved. The last layers of the networks start at 0, so the map starts
    as a permutation.

    Args:
        dim: Dimension of the vectors, even, at least 2.
        num_couplings: Number of couplings, at least 1.
        hidden_units: Widths of the hidden layers of each network.
        bound: Maximum log scale of one coupling, > 0.
        seed: Seed of initial weights.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, dim: int, num_couplings: int = 6,
                 hidden_units: tuple = (64, 64), bound: float = 1.0,
                 seed: int = 0, **kwargs):
        # The map is invertible in float32 only; inner networks cast.
        super().__init__(autocast=False, **kwargs)
        if dim < 2 or dim % 2:
            raise ValueError("a flow of coupling layers needs an even "
                             f"dimension of at least 2, got {dim}.")
        if num_couplings < 1:
            raise ValueError(
                f"num_couplings must be >= 1, got {num_couplings}.")
        if not bound > 0:
            raise ValueError(f"bound must be > 0, got {bound}.")
        self.dim, self.num_couplings = dim, num_couplings
        self.hidden_units, self.bound = tuple(hidden_units), bound
        self.seed = seed
        self.networks = [VectorMLP(
            dim // 2, dim // 2, hidden_units, 2, "gelu",
            initializers.derive_seed(seed, f"coupling_{k}"),
            name=f"coupling_{k}") for k in range(num_couplings)]
        for network in self.networks:
            initializers.set_to_zero(network.head)
        self.built = True

    def call(self, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(x, log |det dx/du|), float [batch, dim] and [batch], of u."""
        growth = tf.zeros_like(u[:, 0])
        for network in self.networks:
            kept, moved = tf.split(u, 2, -1)
            shift, log_scale = self._moments(network, kept)
            moved = moved * tf.exp(log_scale) + shift
            growth += tf.reduce_sum(log_scale, -1)
            u = self._mixed(moved, kept)
        return u, growth

    def inverse(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(u, log |det du/dx|), float [batch, dim] and [batch], of x."""
        growth = tf.zeros_like(x[:, 0])
        for network in reversed(self.networks):
            moved, kept = self._parted(x)
            shift, log_scale = self._moments(network, kept)
            moved = (moved - shift) * tf.exp(-log_scale)
            growth -= tf.reduce_sum(log_scale, -1)
            x = tf.concat([kept, moved], -1)
        return x, growth

    def order(self) -> np.ndarray:
        """The permutation that the map starts as, int [dim]: x = u[order]."""
        found = np.arange(self.dim)
        for _ in self.networks:
            kept, moved = np.split(found, 2)
            found = np.stack([moved, kept], -1).reshape(-1)
        return found

    def _moments(self, network, kept):
        shift, log_scale = network(kept)
        return shift, self.bound * tf.tanh(log_scale / self.bound)

    def _mixed(self, moved, kept):
        """Interleaves both halves, so that later couplings combine other
        numbers."""
        return tf.reshape(tf.stack([moved, kept], -1), [-1, self.dim])

    def _parted(self, x):
        halves = tf.reshape(x, [-1, self.dim // 2, 2])
        return halves[..., 0], halves[..., 1]

    def get_config(self):
        return {**super().get_config(), "dim": self.dim,
                "num_couplings": self.num_couplings, "bound": self.bound,
                "hidden_units": self.hidden_units, "seed": self.seed}
