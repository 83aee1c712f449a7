"""What reading any files needs: where they lie, what is held out, counts."""

import os
from typing import Mapping

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng

_HELD_OUT = 10  # One row in so many of a user's file.


def find(name: str, data_dir: str, *files: str) -> str:
    """Path of the first of some files that is there, gzipped or not.

    Args:
        name: Of the data set, and of its folder in `data_dir`.
        data_dir: Folder of the data.
        *files: Names, at least one; the first is that of the whole.

    Raises:
        InputError: If none is there.
    """
    for file in files:
        for ending in ("", ".gz"):
            path = os.path.join(data_dir, name, file + ending)
            if os.path.isfile(path):
                return path
    raise InputError(
        f"{name} must lie in --data_dir or $LEBM_DATA_DIR as {name}/"
        f"{files[0]} or {name}/{files[0]}.gz, got neither in "
        f"{data_dir or 'no folder'}.")


def held_out(num_rows: int) -> np.ndarray:
    """One row in ten, and at least one, of an order that depends on their
    number alone: bool [num_rows], at least 2."""
    order = rng.permutation(
        tf.range(num_rows, dtype=tf.int64),
        rng.stream(rng.make_seed(0), "test"), num_rows).numpy()
    test = np.zeros(num_rows, bool)
    test[order[:max(1, round(num_rows / _HELD_OUT))]] = True
    return test


def met(counts: Mapping[str, int]) -> str:
    """What was met while reading, in brackets; "" for nothing."""
    text = ", ".join(f"{name} {count:,}"
                     for name, count in counts.items() if count)
    return f" (met: {text})" if text else ""


def check_finite(values: np.ndarray, what: str) -> None:
    """Raises InputError, with the first place, unless all are finite.

    Args:
        values: Floats of any shape.
        what: Their name, which opens the message.
    """
    finite = np.isfinite(values)
    if not finite.all():
        first = np.unravel_index(np.argmin(finite), values.shape)
        raise InputError(
            f"{what} must be finite, got {np.sum(~finite)} NaN or infinite of "
            f"{finite.size} values, first at {[int(i) for i in first]}.")
