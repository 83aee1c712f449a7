"""Rows of tokens, as everything that measures sentences takes them.

A row holds the words of a sentence, then the end of sentence, then padding.
The beginning of a sentence is read only, never in a row. What ends
a sentence is a token like any other: a sentence of 5 words has 6, and is as
likely as its 6 tokens together.
"""

import numpy as np

from lebm_tf.token_ids import END, PAD


def check(rows: np.ndarray, vocabulary_size: int, name: str = "rows"
          ) -> np.ndarray:
    """Returns rows of tokens as they are, if they are rows of tokens.

    A row that was cut before its end has no end of sentence; that is allowed,
    and it counts as many tokens as it has.

    Args:
        rows: int32 [num_rows, length], from 0 to `vocabulary_size` - 1.
        vocabulary_size: Number of all tokens, those of `token_ids` included.
        name: What to call them in an error.

    Raises:
        ValueError: If shape or type are others, a token is unknown, a row is
            empty, or something but padding follows padding or an end.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.integer) or (
            not rows.size):
        raise ValueError(f"{name} must be integers [num_rows >= 1, length >= "
                         f"1], got {rows.dtype} {list(rows.shape)}.")
    if rows.min() < 0 or rows.max() >= vocabulary_size:
        raise ValueError(
            f"{name} must hold tokens from 0 to {vocabulary_size - 1}, got "
            f"{rows.min()} to {rows.max()}.")
    if (rows[:, 0] == PAD).any():
        raise ValueError(f"{name} must each hold a token, got only padding in "
                         f"row {np.argmax(rows[:, 0] == PAD)}.")
    ended = (rows == PAD) | (rows == END)
    follows = (ended[:, :-1] & (rows[:, 1:] != PAD)).any(axis=1)
    if follows.any():
        raise ValueError(
            f"{name} must hold nothing but padding after the end of sentence "
            f"or padding, got another token in row {np.argmax(follows)}.")
    return rows.astype(np.int32, copy=False)


def lengths(rows: np.ndarray) -> np.ndarray:
    """Tokens of each row, its end of sentence included, int64 [num_rows]."""
    return np.count_nonzero(rows != PAD, axis=1)
