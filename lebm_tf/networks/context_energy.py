"""The energy of LB-EBM, of a latent vector and the context of an agent.

Pang, Zhao, Xie and Wu 2021, arXiv:2104.03086; bpucla/lbebm, lbebm_sdd.py.
"""

from typing import Mapping

import keras
import tensorflow as tf

from lebm_tf.networks.mlp import EnergyMLP, VectorMLP


@keras.saving.register_keras_serializable(package="lebm_tf")
class ContextEnergy(keras.layers.Layer):
    """E(z, context): an `EnergyMLP` of [z; context].

    With several symbols y the network returns logits F of [z; context], and the
    energy is -log sum_y exp F_y, or -F_y for a given symbol (ny in the authors'
    code, which is 1 in their runs).

    Gradients to the context are stopped: it is trained by the predictions.

    Args:
        latent_dim, feature_dim: Widths of z and of the context.
        hidden_units, activation, seed: As in `EnergyMLP`.
        num_symbols: Number of symbols, at least 1.

    Call arguments:
        z: float [batch, latent_dim].
        condition: Output of `SocialContext`; optionally with "symbol", the
            symbol of each row, integer [batch].

    Returns:
        Energies in nats, float [batch].
    """

    def __init__(self, latent_dim: int, feature_dim: int,
                 hidden_units: tuple = (200, 200), activation: str = "gelu",
                 seed: int = 0, num_symbols: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.settings = {
            "latent_dim": latent_dim, "feature_dim": feature_dim,
            "hidden_units": tuple(hidden_units), "activation": activation,
            "seed": seed, "num_symbols": num_symbols}
        if num_symbols < 1:
            raise ValueError(f"num_symbols must be >= 1, got {num_symbols}.")
        width = latent_dim + feature_dim
        self.num_symbols = num_symbols
        self.network = EnergyMLP(
            width, hidden_units, activation, seed,
            dtype=self.dtype_policy) if num_symbols == 1 else VectorMLP(
                width, num_symbols, hidden_units, 1, activation, seed,
                dtype=self.dtype_policy)
        self.built = True

    def logits(self, z: tf.Tensor, condition: Mapping[str, tf.Tensor]
               ) -> tf.Tensor:
        """F(z, context), float [batch, num_symbols], in nats."""
        context = tf.cast(tf.stop_gradient(condition["pooled"]), z.dtype)
        found = self.network(tf.concat([z, context], -1))
        return -found[:, None] if self.num_symbols == 1 else found

    def call(self, z: tf.Tensor, condition: Mapping[str, tf.Tensor]
             ) -> tf.Tensor:
        logits = self.logits(z, condition)
        if "symbol" in condition:
            return -tf.gather(logits, condition["symbol"], batch_dims=1)
        if self.num_symbols == 1:
            return -logits[:, 0]
        return -tf.reduce_logsumexp(logits, -1)

    def get_config(self):
        return {**super().get_config(), **self.settings}
