"""Decoding of sequences from p(x | z), in the graph; it stops when all rows
ended.

A step function maps (token int32 [rows], state, t int32 []) to (logits [rows,
num_tokens], state).
"""

import dataclasses
from typing import Annotated, Any, Callable

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.ranges import (
    Checked, NonNegativeInt, OneOf, PositiveFloat, PositiveInt)
from lebm_tf.token_ids import BEGIN, END, PAD

METHODS = ("sample", "greedy", "beam")
_NEVER = (PAD, BEGIN)  # Tokens that are never generated.


@dataclasses.dataclass(frozen=True)
class DecodingConfig(Checked):
    """Decoding of sequences from p(x | z).

    Attributes:
        method: sample (ancestral sampling), greedy (the most probable token at
            every step) or beam (the most probable sequence found by beam
            search).
        temperature: Temperature of sample; probabilities are raised to its
            inverse.
        top_k: With sample, the number of most probable tokens to choose from; 0
            for all.
        beam_width: Number of sequences that beam keeps.
    """
    method: Annotated[str, OneOf(METHODS)] = "sample"
    temperature: PositiveFloat = 1.0
    top_k: NonNegativeInt = 0
    beam_width: PositiveInt = 5


def decode(step: Callable, state: Any, num_rows, max_length: int,
           config: DecodingConfig, seed: rng.Seed,
           temperature: tf.Tensor | None = None) -> tf.Tensor:
    """Decodes a sequence for every row.

    Args:
        step: Step function as described above.
        state: Initial state, a nest of [num_rows, ...].
        num_rows: Int or int32 [].
        max_length: Maximum number of tokens, including the end, >= 1.
        config: The decoding method.
        seed: int32 [2], or [num_rows, 2]; then row i depends on seed i alone.
        temperature: Replaces that of `config`, float [] or [num_rows].

    Returns:
        int32 [num_rows, max_length]: tokens, the end token if reached, and
        padding.
    """
    if config.method == "beam":
        return beam_search(step, state, num_rows, max_length,
                           config.beam_width)
    uniform = None
    temperature = tf.convert_to_tensor(
        config.temperature if temperature is None else temperature)[..., None]
    if config.method == "sample":
        # Normal numbers, which allow a seed per row, become uniform by their
        # distribution function.
        uniform = 0.5 * tf.math.erfc(-rng.normal(
            [num_rows, max_length], seed) * 2.0**-0.5)

    def body(t, token, ended, state, tokens):
        logits, state = step(token, state, t)
        logits = _allowed(logits)
        if uniform is None:
            token = tf.argmax(logits, 1, tf.int32)
        else:
            token = draw(logits / tf.cast(temperature, logits.dtype),
                         uniform[:, t], config.top_k)
        token = tf.where(ended, PAD, token)
        return (t + 1, token, ended | (token == END), state,
                tokens.write(t, token))

    first = tf.fill([num_rows], BEGIN)
    rows = first.shape
    tokens = tf.TensorArray(tf.int32, max_length, element_shape=rows)
    t, *_, tokens = tf.while_loop(
        lambda t, token, ended, *_: (t < max_length) & ~tf.reduce_all(ended),
        body, (0, first, tf.fill([num_rows], False), state, tokens),
        maximum_iterations=max_length)
    # Positions that were never written are padding.
    return tf.ensure_shape(tf.where(
        tf.range(max_length) < t, tf.transpose(tokens.stack()), PAD),
        [rows[0], max_length])


def draw(logits: tf.Tensor, uniform: tf.Tensor, top_k: int = 0) -> tf.Tensor:
    """Samples a token per row by inversion, int32 [rows].

    Args:
        logits: float32 [rows, num_tokens]; -inf excludes a token.
        uniform: float32 [rows], in [0, 1].
        top_k: Number of most probable tokens to choose from; 0 for all.
    """
    if top_k:
        worst = tf.math.top_k(logits, min(top_k, logits.shape[-1])).values
        logits = tf.where(logits < worst[:, -1:], -float("inf"), logits)
    ends = tf.cumsum(tf.nn.softmax(logits), axis=1)
    # Rounding may leave the sum below 1, so compare with a fraction of it.
    below = ends <= uniform[:, None] * ends[:, -1:]
    token = tf.reduce_sum(tf.cast(below, tf.int32), axis=1)
    # uniform = 1 must give the last token of nonzero probability.
    last = tf.reduce_max(tf.where(
        logits > -float("inf"), tf.range(logits.shape[-1]), 0), axis=1)
    return tf.minimum(token, last)


def beam_search(step: Callable, state: Any, num_rows, max_length: int,
                width: int) -> tf.Tensor:
    """The best sequence of a beam search of the given width.

    Sequences are compared by log probability, without length normalization;
    arguments and result as in `decode`.
    """
    def merge(x):
        return tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0))

    def split(x):
        return tf.reshape(x, tf.concat(
            [[num_rows, width], tf.shape(x)[1:]], 0))

    state = tf.nest.map_structure(
        lambda x: tf.repeat(x, width, axis=0), state)
    specs = tf.nest.map_structure(lambda x: x.shape, state)
    # All beams of a row are equal at first, so only one may count.
    total = tf.tile(tf.constant([[0.0] + [-float("inf")] * (width - 1)]),
                    [num_rows, 1])

    def body(t, tokens, total, ended, state):
        last = tf.where(t > 0, tokens[:, :, tf.maximum(t - 1, 0)], BEGIN)
        logits, state = step(merge(last[..., None])[:, 0], state, t)
        logs = split(tf.nn.log_softmax(_allowed(logits)))
        size = logs.shape[-1]
        # An ended sequence continues with padding at no cost.
        stays = tf.where(tf.range(size) == PAD, 0.0, -float("inf"))
        logs = tf.where(ended[..., None], stays, logs)
        total, best = tf.math.top_k(tf.reshape(
            total[..., None] + logs, [num_rows, width * size]), width)
        parent, token = best // size, best % size
        tokens = tf.gather(tokens, parent, axis=1, batch_dims=1)
        column = tf.range(max_length) == t
        tokens = tf.where(column, token[..., None], tokens)
        ended = tf.gather(ended, parent, axis=1, batch_dims=1) | (
            token == END)
        rows = tf.reshape(tf.range(num_rows)[:, None] * width + parent, [-1])
        state = tf.nest.map_structure(
            lambda x, shape: tf.ensure_shape(tf.gather(x, rows), shape),
            state, specs)
        return t + 1, tokens, total, ended, state

    shape = [num_rows, width]
    _, tokens, total, *_ = tf.while_loop(
        lambda t, tokens, total, ended, _: (t < max_length)
        & ~tf.reduce_all(ended),
        body, (0, tf.fill([*shape, max_length], PAD), total,
               tf.fill(shape, False), state), maximum_iterations=max_length)
    best = tf.argmax(total, 1)
    return tf.gather(tokens, best, axis=1, batch_dims=1)


def _allowed(logits):
    """Logits with tokens that are never generated set to -inf."""
    never = tf.reduce_any(tf.range(logits.shape[-1])[:, None]
                          == tf.constant(_NEVER), 1)
    return tf.where(never, -float("inf"), logits)
