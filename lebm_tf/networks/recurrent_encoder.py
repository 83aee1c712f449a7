"""Recurrent encoders: a sequence of tokens to a latent vector."""

import keras
import tensorflow as tf

from lebm_tf import shapes
from lebm_tf.networks.recurrent import (
    Recurrent, check_widths, num_gates, run_cell)
from lebm_tf.token_ids import BEGIN

_SLOPE = 0.01  # The default of PyTorch's LeakyReLU.


@keras.saving.register_keras_serializable(package="lebm_tf")
class RecurrentEncoder(Recurrent):
    """Mean and log standard deviation of z, from a bidirectional network.

    It applies a dense layer to the last states of two recurrent layers, one
    forwards and one backwards; Pang and Wu 2021, arXiv:2108.11556, public code
    ibebm.

    Args:
        num_tokens: Size of the vocabulary, at least 4.
        latent_dim: Dimension of z.
        embedding_dim: Width of the embeddings.
        hidden_dim: Width of each state.
        cell: One of `CELLS`.
        seed: Seed of the initial weights.
        pad_to: 0 skips padding. Otherwise all sequences are padded to that
            length and read to the end, as in the authors' programs, whose
            results then depend on the padding of a batch.
        has_leaky_head: Whether max(h, 0.01 h) is applied to the last states h
            before the dense layer, as in Yu et al. 2022, arXiv:2206.05895.
        reads_begin: Whether the beginning (2) is read before the first token,
            as in the authors' programs; it counts for `pad_to`.

    Call arguments:
        x: int32 [batch, length], padded with 0.

    Returns:
        (mean, log_scale), each float32 [batch, latent_dim].

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, num_tokens: int, latent_dim: int,
                 embedding_dim: int = 256, hidden_dim: int = 256,
                 cell: str = "gru", seed: int = 0, pad_to: int = 0,
                 has_leaky_head: bool = False, reads_begin: bool = False,
                 **kwargs):
        super().__init__(**kwargs)
        check_widths(num_tokens, latent_dim, embedding_dim, hidden_dim)
        self.num_tokens, self.latent_dim = num_tokens, latent_dim
        self.embedding_dim, self.hidden_dim = embedding_dim, hidden_dim
        if pad_to < 0:
            raise ValueError(f"pad_to must be >= 0, got {pad_to}.")
        self.cell, self.seed = cell, seed
        self.pad_to, self.has_leaky_head = pad_to, has_leaky_head
        self.reads_begin = reads_begin
        gates = num_gates(cell) * hidden_dim
        self.embedding = self._weight("embedding", num_tokens, embedding_dim)
        self.kernels = [
            (self._weight(f"{way}_kernel", embedding_dim + hidden_dim, gates),
             self._weight(f"{way}_bias", 4 * hidden_dim))
            for way in ("forwards", "backwards")]
        self.head_kernel = self._weight("head_kernel", 2 * hidden_dim,
                                        2 * latent_dim)
        self.head_bias = self._weight("head_bias", 2 * latent_dim)
        self.built = True

    def call(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x, length = self._read(x)
        ends = [tf.gather_nd(h, tf.stack(
            [tf.maximum(length - 1, 0), tf.range(tf.shape(x)[0])], 1))
            for h in self._runs(x, length)]
        last = tf.concat(ends, 1)
        if self.has_leaky_head:
            last = tf.where(last > 0, last, _SLOPE * last)
        moments = tf.matmul(last, self.head_kernel.value) + (
            self.head_bias.value)
        return tuple(tf.split(moments, 2, axis=-1))

    def states(self, x: tf.Tensor) -> tf.Tensor:
        """States at every token that is read, in both directions, float [batch,
        length, 2 hidden_dim]; not part of a call."""
        x, length = self._read(x)
        forwards, backwards = (tf.transpose(h, [1, 0, 2])
                               for h in self._runs(x, length))
        return tf.concat([forwards, tf.reverse_sequence(
            backwards, length, seq_axis=1)], -1)

    def _runs(self, x, length):
        """States of both directions in the order of reading, [length, batch,
        ...]."""
        ways = (x, tf.reverse_sequence(x, length, seq_axis=1))
        for tokens, (kernel, bias) in zip(ways, self.kernels):
            inputs = tf.transpose(self._read_embedded(tokens), [1, 0, 2])
            zero = tf.zeros([tf.shape(x)[0], self.hidden_dim], inputs.dtype)
            zero = tf.ensure_shape(zero, [x.shape[0], self.hidden_dim])
            first = (zero, zero) if self.cell == "lstm" else (zero,)
            yield run_cell(self.cell, inputs, kernel.value, bias.value, first)

    def _read(self, x):
        """Tokens to read, and their number in each row, int32 [batch]."""
        if self.reads_begin:
            x = tf.concat([tf.fill(tf.shape(x[:, :1]), BEGIN), x], 1)
        if self.pad_to:
            missing = tf.maximum(self.pad_to - tf.shape(x)[1], 0)
            x = tf.ensure_shape(tf.pad(x, [[0, 0], [0, missing]]),
                                [x.shape[0], None])
            return x, tf.fill(tf.shape(x)[:1], tf.shape(x)[1])
        length = tf.reduce_sum(tf.cast(x != 0, tf.int32), 1)
        if not shapes.are_fixed():
            # Columns that are padding in all rows are skipped.
            x = x[:, :tf.maximum(tf.reduce_max(length), 1)]
        return x, length

    def _read_embedded(self, tokens):
        x = self._embedded(tokens)
        if not self.pad_to:
            return x
        # The embedding of padding is not trained, as in the authors' code.
        return tf.where((tokens == 0)[..., None], tf.stop_gradient(x), x)

    def get_config(self):
        return {**super().get_config(), "num_tokens": self.num_tokens,
                "latent_dim": self.latent_dim, "seed": self.seed,
                "embedding_dim": self.embedding_dim,
                "hidden_dim": self.hidden_dim, "cell": self.cell,
                "pad_to": self.pad_to, "has_leaky_head": self.has_leaky_head,
                "reads_begin": self.reads_begin}
