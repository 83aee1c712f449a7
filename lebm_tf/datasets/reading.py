"""Helpers for reading data files: paths, held-out rows and counts."""

import os
from typing import Mapping

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng

_HELD_OUT = 10  # One row in 10 of a user's file is held out.


def find(name: str, data_dir: str, *files: str) -> str:
    """Path of the first existing file, gzipped or not.

    Args:
        name: Name of the data set, and of its folder in `data_dir`.
        data_dir: Folder of the data.
        *files: File names, at least one; the first is named in messages.

    Raises:
        InputError: If no file exists.
    """
    for file in files:
        for ending in ("", ".gz"):
            path = os.path.join(data_dir, name, file + ending)
            if os.path.isfile(path):
                return path
    raise InputError(
        f"{name} must be in --data_dir or $LEBM_DATA_DIR as {name}/{files[0]} "
        f"or {name}/{files[0]}.gz, got neither in {data_dir or 'no folder'}.")


def held_out(num_rows: int, most: int | None = None) -> np.ndarray:
    """Mask of held-out rows, bool [num_rows]: one in ten and at least one, in
    an order that depends on their number alone; needs 2 rows.

    Args:
        num_rows: Number of rows, at least 2.
        most: Maximum number of rows to hold out; None for no limit.
    """
    order = rng.permutation(
        tf.range(num_rows, dtype=tf.int64),
        rng.stream(rng.make_seed(0), "test"), num_rows).numpy()
    test = np.zeros(num_rows, bool)
    test[order[:max(1, round(num_rows / _HELD_OUT))][:most]] = True
    return test


def met(counts: Mapping[str, int]) -> str:
    """Counts of the reading, in brackets; "" if all are 0."""
    text = ", ".join(f"{name} {count:,}"
                     for name, count in counts.items() if count)
    return f" (found: {text})" if text else ""


def check_finite(values: np.ndarray, what: str) -> None:
    """Raises InputError unless all values are finite; names the first position.

    Args:
        values: Floats of any shape.
        what: Name of the values, which starts the message.
    """
    finite = np.isfinite(values)
    if not finite.all():
        first = np.unravel_index(np.argmin(finite), values.shape)
        raise InputError(
            f"{what} must be finite, got {np.sum(~finite)} NaN or infinite of "
            f"{finite.size} values, first at {[int(i) for i in first]}.")
