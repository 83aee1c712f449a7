"""Logits of a latent vector at a noise level."""

import keras
import tensorflow as tf

from lebm_tf.networks import activations, initializers
from lebm_tf.networks.spectral_norm import SpectralLayer
from lebm_tf.networks.time_embedding import sinusoidal_embedding

_BIAS = 0.1  # Initial biases are U(-0.1, 0.1), as in the authors' code.


@keras.saving.register_keras_serializable(package="lebm_tf")
class LevelLogits(keras.layers.Layer):
    """F(z, t): logits of a vector z at level t, by residual layers.

    h = W act([e_z(z), e_c(c), e_t(t)]), blocks h <- W act(h) + h, and logits W
    act(h), with act = max(x, 0.2 x); each e is two dense layers, e_t on sines
    and cosines of t. Every kernel is divided by its spectral norm. Yu et al.
    2022, arXiv:2206.05895, `LEBM` of modules/ldebm.py.

    Args:
        latent_dim: Dimension of z.
        num_symbols: Number of logits.
        num_levels: Number of levels, 0 .. num_levels - 1.
        hidden_dim: Width of h, even, at least 4.
        num_blocks: Number of residual layers.
        context_dim: Width of a context c, as in ldebm_ctx.py; 0 for none.
        seed: Seed of the initial weights.

    Call arguments:
        z: float [batch, latent_dim].
        level: int32 [batch].
        context: float [batch, context_dim], if used.

    Returns:
        float [batch, num_symbols], in nats; float32 under mixed precision,
        since the network is small.

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(self, latent_dim: int, num_symbols: int, num_levels: int,
                 hidden_dim: int = 200, num_blocks: int = 12,
                 context_dim: int = 0, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        if min(latent_dim, num_symbols, num_levels) < 1 or min(
                num_blocks, context_dim) < 0:
            raise ValueError(
                "latent_dim, num_symbols and num_levels must be >= 1, "
                "num_blocks and context_dim >= 0, got "
                f"{latent_dim}, {num_symbols}, {num_levels}, {num_blocks} and "
                f"{context_dim}.")
        self.latent_dim, self.num_symbols = latent_dim, num_symbols
        self.num_levels, self.hidden_dim = num_levels, hidden_dim
        self.num_blocks, self.context_dim = num_blocks, context_dim
        self.seed = seed
        self.table = sinusoidal_embedding(
            tf.range(num_levels, dtype=self.variable_dtype), hidden_dim,
            in_turn=True).numpy()
        hidden = hidden_dim
        self.of_z = self._pair("z", latent_dim)
        self.of_context = self._pair("context", context_dim) if (
            context_dim) else []
        self.of_level = self._pair("level", hidden)
        self.joined = self._layer(
            "joined", (3 if context_dim else 2) * hidden, hidden)
        self.blocks = [self._layer(f"block_{i}", hidden, hidden)
                       for i in range(num_blocks)]
        self.head = self._layer("head", hidden, num_symbols)
        self.built = True

    def _layer(self, name, fan_in, units):
        layer = SpectralLayer(fan_in, units, seed=self.seed, name=name,
                              dtype=self.variable_dtype)
        layer.bias.assign(keras.initializers.RandomUniform(
            -_BIAS, _BIAS, seed=initializers.derive_seed(
                self.seed, name + "/bias"))((units,)))
        return layer

    def _pair(self, name, fan_in):
        return [self._layer(f"{name}_0", fan_in, self.hidden_dim),
                self._layer(f"{name}_1", self.hidden_dim, self.hidden_dim)]

    def call(self, z: tf.Tensor, level: tf.Tensor,
             context: tf.Tensor | None = None) -> tf.Tensor:
        act = activations.leaky_relu

        def embedded(x, pair):
            return pair[1](act(pair[0](x)))
        known = [embedded(z, self.of_z)]
        if self.context_dim:
            known.append(embedded(context, self.of_context))
        # Computed once per level, not per row.
        known.append(tf.gather(
            embedded(tf.constant(self.table), self.of_level), level))
        h = self.joined(act(tf.concat(known, -1)))
        for block in self.blocks:
            h += block(act(h))
        return self.head(act(h))

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for (
            name) in ("latent_dim", "num_symbols", "num_levels", "hidden_dim",
                      "num_blocks", "context_dim", "seed")}}
