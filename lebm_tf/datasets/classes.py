"""Conversion of labels to consecutive class numbers."""

from typing import Any, Mapping

import numpy as np

from lebm_tf.errors import InputError

MOST_CLASSES = 1_000


def class_numbers(name: str, labels: Mapping[str, np.ndarray | None]
                  ) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Maps labels to class numbers from 0 without gaps.

    Labels that are such numbers already are kept, with the names (). Others are
    numbered in ascending order.

    Args:
        name: Name of the data, for messages.
        labels: Name of an array -> non-negative integers, [num] or [num, 1]; or
            None.

    Returns:
        (name -> int64 [num] or None, names of the classes or ()).

    Raises:
        InputError: If labels are not integers, or have more than `MOST_CLASSES`
            values.
    """
    found = {part: None if y is None else _integers(name, part, y)
             for part, y in labels.items()}
    given = [y for y in found.values() if y is not None and y.size]
    values = np.unique(np.concatenate(given)) if given else np.arange(0)
    if len(values) > MOST_CLASSES:
        raise InputError(
            f"{name}: labels must have at most {MOST_CLASSES:,} different "
            f"values, got {len(values):,}, from {values[0]} to {values[-1]}.")
    if not len(values) or values[0] < 0 or values[-1] == len(values) - 1:
        return found, ()  # The data set refuses negative labels.
    return ({part: None if y is None else np.searchsorted(values, y)
             for part, y in found.items()}, tuple(map(str, values)))


def number_of(classes: tuple[str, ...], label: int) -> int:
    """The class number of a label; -1 if there is no such class."""
    if not classes:
        return label
    return classes.index(str(label)) if str(label) in classes else -1


def _integers(name, part, y) -> np.ndarray:
    if y.ndim == 2 and y.shape[1] == 1:  # The shape that Keras uses.
        y = y[:, 0]
    if not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"{name}: {part} must hold integer class numbers, "
                         f"got {y.dtype}.")
    return y.astype(np.int64)
