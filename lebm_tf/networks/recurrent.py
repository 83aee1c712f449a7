"""Recurrent decoders: a latent vector to a sequence of tokens."""

from typing import Callable, Sequence

import keras
import tensorflow as tf

from lebm_tf.networks import initializers
from lebm_tf.networks.fused_gru import fused_gru, gru_step
from lebm_tf.networks.fused_lstm import fused_lstm

CELLS = ("lstm", "gru")
_UNIFORM = 0.1  # Initial weights are U(-0.1, 0.1), as in the public code.


def run_cell(cell: str, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor,
             first: tuple, constant: tf.Tensor | None = None) -> tf.Tensor:
    """Runs a recurrent cell along a sequence.

    Args:
        cell: lstm, with gates in the order input, candidate, forget, output; or
            gru, with reset, update, candidate, see `fused_gru`.
        x: float [length, batch, in].
        kernel: [in + constant width + width, gates * width].
        bias: [4 width]; the last quarter of a gru belongs to the product with
            h.
        first: State before the first step: (c, h), or (h,); [batch, width].
        constant: Additional input of every step, after x, [batch, any].

    Returns:
        h of every step, float [length, batch, width].
    """
    if cell == "gru":
        return fused_gru(x, kernel, bias, first[0], constant)
    if x.dtype == tf.float32:
        return fused_lstm(x, kernel, bias, first, constant)
    if constant is not None:
        x = tf.concat([x, tf.tile(
            constant[None], [tf.shape(x)[0], 1, 1])], 2)
    return tf.scan(lambda state, now: step_cell(
        cell, now, kernel, bias, state), x, tuple(first))[-1]


def step_cell(cell: str, x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor,
              state: tuple) -> tuple:
    """One step of `run_cell`, x [batch, in]; h is the last entry of the state.
    """
    if cell == "lstm":
        c, h = state
        gates = tf.matmul(tf.concat([x, h], 1), kernel) + bias
        i, candidate, f, o = tf.split(gates, 4, axis=1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(candidate)
        return c, tf.sigmoid(o) * tf.tanh(c)
    h, = state
    width = h.shape[-1]
    read = tf.matmul(x, kernel[:-width]) + bias[:3 * width]
    return (gru_step(read, h, kernel[-width:], bias[3 * width:]),)


def check_cell(cell: str, cells: Sequence[str] = CELLS) -> None:
    """Raises ValueError if the cell is unknown."""
    if cell not in cells:
        raise ValueError(
            f"cell must be one of {', '.join(cells)}, got {cell!r}.")


def num_gates(cell: str) -> int:
    """Number of gates of a cell in its kernel.

    Raises:
        ValueError: If the cell is unknown.
    """
    check_cell(cell)
    return 4 if cell == "lstm" else 3


class Recurrent(keras.layers.Layer):
    """Base of sequence networks: weights of U(-0.1, 0.1), and float32 along the
    sequence in any precision."""

    def __init__(self, **kwargs):
        super().__init__(**{"autocast": False, **kwargs})

    def _weight(self, name, *shape):
        seed = initializers.derive_seed(self.seed, name)
        return self.add_weight(
            name=name, shape=shape, autocast=False, initializer=(
                keras.initializers.RandomUniform(
                    -_UNIFORM, _UNIFORM, seed=seed)))

    def _embedded(self, tokens):
        return tf.gather(self.embedding.value, tokens)


def check_decoder(cell: str, embedding_dim: int, hidden_dim: int, tied: bool,
                  starts_cell: bool) -> None:
    """Checks that `RecurrentDecoder` accepts these arguments together.

    Raises:
        ValueError: If not; starts with the argument at fault.
    """
    if tied and cell == "transformer":
        raise ValueError("tied needs a recurrent cell, got transformer.")
    if tied and embedding_dim != hidden_dim:
        raise ValueError("tied needs embedding_dim equal to hidden_dim, got "
                         f"{embedding_dim} and {hidden_dim}.")
    if starts_cell and cell != "lstm":
        raise ValueError(f"starts_cell needs cell=lstm, got {cell!r}.")


@keras.saving.register_keras_serializable(package="lebm_tf")
class RecurrentDecoder(Recurrent):
    """A recurrent decoder with one layer of LSTM or GRU.

    Every input is [embedding; z], and the first state h is W z + b. Pang,
    Nijkamp, Han et al. 2019, "Generative text modeling through short run
    inference", public code sri_text; the generator for text and molecules of
    Pang et al. 2020, arXiv:2006.08205 and arXiv:2010.09351, has this form.

    Args:
        num_tokens: Size of the vocabulary, at least 4.
        latent_dim: Dimension of z.
        embedding_dim: Width of the embeddings.
        hidden_dim: Width of the state.
        cell: One of `CELLS`.
        dropout: Dropout rate of embeddings and outputs, in [0, 1).
        seed: Seed of the initial weights.
        tied: Whether logits are products of the state with the embeddings,
            without a bias.
        starts_cell: Whether the first c of an LSTM depends on z like the first
            h; otherwise it is 0.

    Call arguments:
        tokens: Previous token at each position, int32 [batch, length].
        z: float [batch, latent_dim].
        drop: Dropout function (values, name) -> values, made by the likelihood
            from a seed; None for no dropout.

    Returns:
        float32 [batch, length, hidden_dim], the input of `logits`.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self, num_tokens: int, latent_dim: int,
                 embedding_dim: int = 256, hidden_dim: int = 256,
                 cell: str = "lstm", dropout: float = 0.0, seed: int = 0,
                 tied: bool = False, starts_cell: bool = False, **kwargs):
        super().__init__(**kwargs)
        check_widths(num_tokens, latent_dim, embedding_dim, hidden_dim)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}.")
        check_decoder(cell, embedding_dim, hidden_dim, tied, starts_cell)
        self.num_tokens, self.latent_dim = num_tokens, latent_dim
        self.embedding_dim, self.hidden_dim = embedding_dim, hidden_dim
        self.cell, self.dropout, self.seed = cell, dropout, seed
        gates = num_gates(cell) * hidden_dim
        self.embedding = self._weight("embedding", num_tokens, embedding_dim)
        self.tied, self.starts_cell = tied, starts_cell
        states = (1 + starts_cell) * hidden_dim
        self.first_kernel = self._weight("first_kernel", latent_dim, states)
        self.first_bias = self._weight("first_bias", states)
        self.kernel = self._weight(
            "kernel", embedding_dim + latent_dim + hidden_dim, gates)
        self.bias = self._weight("bias", 4 * hidden_dim)
        if not tied:
            self.head_kernel = self._weight("head_kernel", hidden_dim,
                                            num_tokens)
            self.head_bias = self._weight("head_bias", num_tokens)
        self.built = True

    def call(self, tokens: tf.Tensor, z: tf.Tensor,
             drop: Callable | None = None) -> tf.Tensor:
        drop = drop or (lambda values, name: values)
        x = drop(self._embedded(tokens), "embedding")
        z = tf.cast(z, x.dtype)
        outputs = run_cell(
            self.cell, tf.transpose(x, [1, 0, 2]), self.kernel.value,
            self.bias.value, self._first(z), z)
        return drop(tf.transpose(outputs, [1, 0, 2]), "output")

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """Logits [..., num_tokens] in float32, from the output of a call or
        step."""
        dtype, tied = self.compute_dtype, self.tied
        kernel = self.embedding if tied else self.head_kernel
        product = tf.cast(tf.matmul(
            tf.cast(hidden, dtype), tf.cast(kernel.value, dtype),
            transpose_b=tied), hidden.dtype)
        return product if tied else product + self.head_bias.value

    def start(self, z: tf.Tensor, max_length: int) -> tuple:
        """Initial state, a nest of [batch, ...]."""
        z = tf.cast(z, self.variable_dtype)
        return z, *self._first(z)

    def step(self, token: tf.Tensor, state: tuple, t: tf.Tensor
             ) -> tuple[tf.Tensor, tuple]:
        """(input of `logits`, [batch, hidden_dim]; next state) after reading a
        token, int32 [batch], at position t."""
        z, *below = state
        x = tf.concat([self._embedded(token), z], 1)
        state = step_cell(self.cell, x, self.kernel.value, self.bias.value,
                          tuple(below))
        return state[-1], (z, *state)

    def _first(self, z):
        h = tf.matmul(z, self.first_kernel.value) + self.first_bias.value
        if self.starts_cell:
            return tuple(tf.split(h, 2, axis=1))
        return (tf.zeros_like(h), h) if self.cell == "lstm" else (h,)

    def get_config(self):
        return {**super().get_config(), "num_tokens": self.num_tokens,
                "latent_dim": self.latent_dim, "seed": self.seed,
                "embedding_dim": self.embedding_dim,
                "hidden_dim": self.hidden_dim, "cell": self.cell,
                "dropout": self.dropout, "tied": self.tied,
                "starts_cell": self.starts_cell}


def check_widths(num_tokens: int, *widths: int) -> None:
    """Raises ValueError if the vocabulary or a width is too small."""
    if num_tokens < 4:
        raise ValueError("num_tokens must be >= 4, for the tokens padding, "
                         f"unknown, begin and end, got {num_tokens}.")
    if min(widths) < 1:
        raise ValueError(f"all widths must be >= 1, got {widths}.")
