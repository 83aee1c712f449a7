"""Multilayer perceptrons: the energies of most systems."""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers


@keras.saving.register_keras_serializable(package="lebm_tf")
class EnergyMLP(keras.layers.Layer):
    """Energy of a latent vector: dense layers down to one number.

    E(z) = W_n act(... act(W_1 z + b_1) ...) + b_n; Pang et al. 2020,
    arXiv:2006.08205, `_netE` of train_svhn.py (two hidden layers of 200).

    Args:
        latent_dim: Width of z, at least 1.
        hidden_units: Widths of the hidden layers, each at least 1.
        activation: One of `activations.ACTIVATIONS`.
        seed: Seed of the initial weights.

    Call arguments:
        z: Latent vectors, float [batch, latent_dim].

    Returns:
        Energies in nats, float [batch], float32 under mixed precision.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, latent_dim: int, hidden_units: tuple = (200, 200),
                 activation: str = "gelu", seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        widths = (latent_dim, *hidden_units)
        if min(widths) < 1:
            raise ValueError(
                "latent_dim and hidden_units must be >= 1, got "
                f"{latent_dim} and {tuple(hidden_units)}.")
        self.latent_dim, self.hidden_units = latent_dim, tuple(hidden_units)
        self.activation, self.seed = activation, seed
        self.act = activations.get(activation)
        self.layers = [
            initializers.dense(units, fan_in, seed, f"dense_{i}",
                               dtype=self.dtype_policy)
            for i, (fan_in, units) in enumerate(zip(widths, widths[1:]))]
        # The energy itself never leaves full precision.
        self.head = initializers.dense(
            1, widths[-1], seed, "energy", dtype=self.variable_dtype)
        self.build((None, latent_dim))

    def build(self, input_shape):
        for layer in (*self.layers, self.head):
            layer.build(input_shape)
            input_shape = (None, layer.units)
        self.built = True

    def call(self, z: tf.Tensor) -> tf.Tensor:
        for layer in self.layers:
            z = self.act(layer(z))
        return self.head(z)[:, 0]

    def get_config(self):
        return {**super().get_config(), "latent_dim": self.latent_dim,
                "hidden_units": self.hidden_units,
                "activation": self.activation, "seed": self.seed}
