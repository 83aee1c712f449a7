"""Rows of tokens, the input of all metrics of sentences.

A row holds the words of a sentence, then the end of sentence, then padding. The
beginning of a sentence is an input only, and never part of a row. The end of a
sentence is a token like any other: a sentence of 5 words has 6 tokens, and its
probability includes all 6.
"""

import numpy as np

from lebm_tf.token_ids import END, PAD


def check(rows: np.ndarray, vocabulary_size: int, name: str = "rows"
          ) -> np.ndarray:
    """Checks rows of tokens and returns them as int32.

    A row that was cut before its end has no end of sentence; that is allowed,
    and all its tokens count.

    Args:
        rows: int32 [num_rows, length], from 0 to `vocabulary_size` - 1.
        vocabulary_size: Number of all tokens, including those of `token_ids`.
        name: Name of the rows in error messages.

    Raises:
        ValueError: If shape or type are wrong, a token is unknown, a row is
            empty, or anything but padding follows padding or an end.
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
        raise ValueError(f"{name} must have a token in each row, got only "
                         f"padding in row {np.argmax(rows[:, 0] == PAD)}.")
    ended = (rows == PAD) | (rows == END)
    follows = (ended[:, :-1] & (rows[:, 1:] != PAD)).any(axis=1)
    if follows.any():
        raise ValueError(
            f"{name} must have only padding after the end of sentence or "
            f"padding, got another token in row {np.argmax(follows)}.")
    return rows.astype(np.int32, copy=False)


def lengths(rows: np.ndarray) -> np.ndarray:
    """Number of tokens of each row, including its end of sentence, int64
    [num_rows]."""
    return np.count_nonzero(rows != PAD, axis=1)
