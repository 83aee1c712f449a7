"""Class numbers of the labels that people have."""

from typing import Mapping

import numpy as np

from lebm_tf.errors import InputError

MOST_CLASSES = 1_000


def class_numbers(name: str, labels: Mapping[str, np.ndarray | None]
                  ) -> tuple[dict[str, np.ndarray | None], tuple[str, ...]]:
    """Labels numbered from 0 without a gap, and what the numbers stand for.

    Labels that are such numbers stay, and stand for themselves: (). Others are
    numbered in their order.

    Args:
        name: Of the data; opens every error message.
        labels: Name of an array -> integers from 0, [num] or [num, 1]; or
            None.

    Returns:
        (Name -> int64 [num] or None, names of the classes or ()).

    Raises:
        InputError: If they are no integers, or more than `MOST_CLASSES`
            different ones.
    """
    found = {part: None if y is None else _integers(name, part, y)
             for part, y in labels.items()}
    given = [y for y in found.values() if y is not None and y.size]
    values = np.unique(np.concatenate(given)) if given else np.arange(0)
    if len(values) > MOST_CLASSES:
        raise InputError(
            f"{name}: labels must be of at most {MOST_CLASSES:,} classes, got "
            f"{len(values):,} different ones, from {values[0]} to "
            f"{values[-1]}.")
    if not len(values) or values[0] < 0 or values[-1] == len(values) - 1:
        return found, ()  # Negative ones are refused with their part.
    return ({part: None if y is None else np.searchsorted(values, y)
             for part, y in found.items()}, tuple(map(str, values)))


def number_of(classes: tuple[str, ...], label: int) -> int:
    """The class number of a label; -1 where no label is that one."""
    if not classes:
        return label
    return classes.index(str(label)) if str(label) in classes else -1


def _integers(name, part, y) -> np.ndarray:
    if y.ndim == 2 and y.shape[1] == 1:  # As Keras keeps them.
        y = y[:, 0]
    if not np.issubdtype(y.dtype, np.integer):
        raise InputError(f"{name}: {part} must hold integer class numbers, "
                         f"got {y.dtype}.")
    return y.astype(np.int64)
