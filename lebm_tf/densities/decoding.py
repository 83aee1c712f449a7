"""How a sequence is read off p(x | z): in graph, ended when all rows are.

A step function takes (token int32 [rows], state, t int32 []) to (logits
[rows, num_tokens], state).
"""

import dataclasses
from typing import Annotated, Any, Callable

import tensorflow as tf

from lebm_tf.mcmc import rng
from lebm_tf.ranges import (
    Checked, NonNegativeInt, OneOf, PositiveFloat, PositiveInt)
from lebm_tf.token_ids import BEGIN, END, PAD

METHODS = ("sample", "greedy", "beam")
_NEVER = (PAD, BEGIN)  # No sentence holds them.


@dataclasses.dataclass(frozen=True)
class DecodingConfig(Checked):
    """How a sequence is read off p(x | z).

    Attributes:
        method: sample (token by token, as the model has it), greedy (the most
            probable token at every step) or beam (the most probable sequence
            that a search of beam_width finds).
        temperature: Of sample; probabilities are to the power of its inverse.
        top_k: sample chooses among as many most probable tokens; 0 for all.
        beam_width: Of beam.
    """
    method: Annotated[str, OneOf(METHODS)] = "sample"
    temperature: PositiveFloat = 1.0
    top_k: NonNegativeInt = 0
    beam_width: PositiveInt = 5


def decode(step: Callable, state: Any, num_rows, max_length: int,
           config: DecodingConfig, seed: rng.Seed,
           temperature: tf.Tensor | None = None) -> tf.Tensor:
    """A sequence for every row.

    Args:
        step: As above.
        state: First state, a nest of [num_rows, ...].
        num_rows: Int or int32 [].
        max_length: Most tokens of a sequence, its end among them, >= 1.
        config: How.
        seed: int32 [2], or [num_rows, 2] and then row i depends on its own
            seed alone.
        temperature: In place of that of `config`, float [] or [num_rows].

    Returns:
        int32 [num_rows, max_length]: tokens, the end if it was reached, and
        padding.
    """
    if config.method == "beam":
        return beam_search(step, state, num_rows, max_length,
                           config.beam_width)
    uniform = None
    temperature = tf.convert_to_tensor(
        config.temperature if temperature is None else temperature)[..., None]
    if config.method == "sample":
        # The distribution function of normal numbers, which may come from a
        # seed a row, makes them uniform.
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
    # What was never written is padding.
    return tf.ensure_shape(tf.where(
        tf.range(max_length) < t, tf.transpose(tokens.stack()), PAD),
        [rows[0], max_length])


def draw(logits: tf.Tensor, uniform: tf.Tensor, top_k: int = 0) -> tf.Tensor:
    """Draws a token a row by inversion, int32 [rows].

    Args:
        logits: float32 [rows, num_tokens]; -inf never comes.
        uniform: float32 [rows], in [0, 1].
        top_k: Choose among as many most probable tokens; 0 for all.
    """
    if top_k:
        worst = tf.math.top_k(logits, min(top_k, logits.shape[-1])).values
        logits = tf.where(logits < worst[:, -1:], -float("inf"), logits)
    ends = tf.cumsum(tf.nn.softmax(logits), axis=1)
    # Rounding may leave the sum below 1: a share of it, not of 1.
    below = ends <= uniform[:, None] * ends[:, -1:]
    token = tf.reduce_sum(tf.cast(below, tf.int32), axis=1)
    # uniform = 1 would count all; the last that has any probability is meant.
    last = tf.reduce_max(tf.where(
        logits > -float("inf"), tf.range(logits.shape[-1]), 0), axis=1)
    return tf.minimum(token, last)


def beam_search(step: Callable, state: Any, num_rows, max_length: int,
                width: int) -> tf.Tensor:
    """The best of the `width` sequences that are kept at every step.

    Sequences are compared by their log probability, without a correction for
    length; arguments and result as of `decode`.
    """
    def merge(x):
        return tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0))

    def split(x):
        return tf.reshape(x, tf.concat(
            [[num_rows, width], tf.shape(x)[1:]], 0))

    state = tf.nest.map_structure(
        lambda x: tf.repeat(x, width, axis=0), state)
    specs = tf.nest.map_structure(lambda x: x.shape, state)
    # All beams of a row are equal at first: only one of them counts.
    total = tf.tile(tf.constant([[0.0] + [-float("inf")] * (width - 1)]),
                    [num_rows, 1])

    def body(t, tokens, total, ended, state):
        last = tf.where(t > 0, tokens[:, :, tf.maximum(t - 1, 0)], BEGIN)
        logits, state = step(merge(last[..., None])[:, 0], state, t)
        logs = split(tf.nn.log_softmax(_allowed(logits)))
        size = logs.shape[-1]
        # An ended sequence goes on with padding, for nothing.
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
    """Logits without what no sequence holds."""
    never = tf.reduce_any(tf.range(logits.shape[-1])[:, None]
                          == tf.constant(_NEVER), 1)
    return tf.where(never, -float("inf"), logits)
