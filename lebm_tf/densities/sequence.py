"""Autoregressive likelihood of token sequences given a latent vector."""

import dataclasses

import keras
import tensorflow as tf

from lebm_tf import shapes
from lebm_tf.densities.contracts import Likelihood
from lebm_tf.densities.decoding import DecodingConfig, decode
from lebm_tf.densities.nested import Nested
from lebm_tf.mcmc import rng
from lebm_tf.mcmc.kernel import Position
from lebm_tf.token_ids import BEGIN, PAD


@keras.saving.register_keras_serializable(package="lebm_tf")
class SequenceLikelihood(Nested, Likelihood, keras.Model):
    """p(x | z) = prod_t p(x_t | x_<t, z), with the end as the last token.

    x is int32 [batch, length]: tokens, the end token (3), then padding (0),
    which is ignored. The begin token (2) is read before the first token and is
    not part of x.

    Args:
        decoder: Layer such as `networks.RecurrentDecoder`: called with the
            previous tokens, z and `drop`; with `logits`, `start`, `step` and
            `dropout`.
        max_length: Maximum number of tokens of a decoded sequence, including
            its end.
        decoding: The decoding method.
        chain_dropout: Whether chains in training use the decoder with dropout.
    """

    has_temperature = True

    def __init__(self, decoder: keras.layers.Layer, max_length: int,
                 decoding: DecodingConfig = DecodingConfig(),
                 chain_dropout: bool = False, **kwargs):
        super().__init__(**kwargs)
        if max_length < 1:
            raise ValueError(f"max_length must be >= 1, got {max_length}.")
        self.decoder, self.max_length = decoder, max_length
        self.decoding, self.chain_dropout = decoding, chain_dropout
        self.built = True

    def token_log_probs(self, x: tf.Tensor, z: Position,
                        seed: rng.Seed | None = None
                        ) -> tuple[tf.Tensor, tf.Tensor]:
        """log p(x_t | x_<t, z) of every token that is not padding.

        Args:
            x: int32 [batch, length].
            z: Latents, [batch, ...].
            seed: Seed of dropout, int32 [2]; None for no dropout.

        Returns:
            (float32 [tokens] in nats, int64 [tokens, 2] as (row, t)). Padding
            is skipped after the recurrent layer, and within it if it is padding
            in all rows. Within `shapes.fixed`, padding is included, with 0
            nats.
        """
        if shapes.are_fixed():
            where = tf.where(tf.ones_like(x, tf.bool))
        else:
            longest = tf.reduce_max(tf.math.count_nonzero(
                x != PAD, 1, tf.int32))
            x = x[:, :tf.maximum(longest, 1)]
            where = tf.where(x != PAD)
        tokens = tf.gather_nd(x, where)
        hidden = tf.gather_nd(
            self.decoder(self.read_before(x), z, drop=self._drop(seed)),
            where)
        logs = -tf.nn.sparse_softmax_cross_entropy_with_logits(
            tokens, self.decoder.logits(hidden))
        return tf.where(tokens != PAD, logs, 0.0), where

    def read_before(self, x: tf.Tensor) -> tf.Tensor:
        """The previous token at each position: x shifted by one, after the
        begin token."""
        return tf.concat([tf.fill(tf.shape(x[:, :1]), BEGIN), x[:, :-1]], 1)

    def log_prob(self, x: tf.Tensor, z: Position, *, condition=None,
                 seed: rng.Seed | None = None) -> tf.Tensor:
        """log p(x | z), float32 [batch], in nats; arguments as in
        `token_log_probs`."""
        logs, where = self.token_log_probs(x, z, seed)
        # Segment sums have no gradient in a loop.
        return tf.tensor_scatter_nd_add(
            tf.zeros(tf.shape(x)[:1], logs.dtype), where[:, :1], logs)

    def decode(self, z: Position, seed: rng.Seed, *, condition=None,
               temperature: tf.Tensor | None = None) -> tf.Tensor:
        """Decodes z to sequences, int32 [batch, max_length].

        Args:
            z: Latents, [batch, ...].
            seed: Seed of sampled tokens, int32 [2] or [batch, 2].
            condition: Ignored.
            temperature: Temperature > 0, float [] or [batch]; replaces that of
                `decoding`.
        """
        leaf = tf.nest.flatten(z)[0]
        rows = leaf.shape[0]
        rows = tf.shape(leaf)[0] if rows is None else rows

        def step(token, state, t):
            hidden, state = self.decoder.step(token, state, t)
            return self.decoder.logits(hidden), state
        return decode(step, self.decoder.start(z, self.max_length), rows,
                      self.max_length, self.decoding, seed, temperature)

    def read(self, x) -> tf.Tensor:
        """Checks sequences and converts them to int32 [batch, length].

        Raises:
            ValueError: If they are not integers of that rank.
        """
        x = tf.convert_to_tensor(x)
        if not x.dtype.is_integer or x.shape.rank != 2:
            raise ValueError(
                "x must be tokens, integers [batch, length], got "
                f"{x.dtype.name} {x.shape.as_list()}.")
        return tf.cast(x, tf.int32)

    def _drop(self, seed):
        """The dropout function of the decoder, or None."""
        rate = self.decoder.dropout
        if seed is None or not rate:
            return None
        return lambda values, name: values * rng.dropout_mask(
            tf.shape(values), rate, rng.stream(seed, name), values.dtype)

    def call(self, z, x):
        return self.log_prob(x, z)

    def get_config(self):
        return {**super().get_config(), "max_length": self.max_length,
                "chain_dropout": self.chain_dropout,
                "decoding": dataclasses.asdict(self.decoding), "decoder":
                keras.saving.serialize_keras_object(self.decoder)}

    @classmethod
    def from_config(cls, config):
        return super().from_config({
            **config, "decoding": DecodingConfig(**config["decoding"])})
