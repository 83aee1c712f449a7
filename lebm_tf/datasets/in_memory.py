"""Data sets from arrays and iterables."""

from typing import Any, Callable, Iterable

import numpy as np
import tensorflow as tf

from lebm_tf import kinds
from lebm_tf.datasets.classes import class_numbers
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.data import ImageData, doubt_range
from lebm_tf.datasets.tables.data import UnigramData, VectorData
from lebm_tf.errors import InputError


def _documents(name, x_train, x_test, **labels) -> UnigramData:
    """Bags of words of counts [documents, num_words], integers >= 0; number 0
    of `UnigramData` is no word, so word j has the number j + 1."""
    parts = []
    for x, what in ((x_train, "train"), (x_test, "held_out")):
        counts = np.asarray(x)
        if counts.ndim != 2 or counts.dtype.kind not in "iuf" or (
                counts != np.abs(np.rint(counts))).any():
            raise InputError(
                f"{name}: {what} must be counts, integers >= 0 [documents, "
                f"num_words], got {counts.dtype} {list(counts.shape)}.")
        parts.append(counts.astype(np.int64))
    if parts[0].shape[1] != parts[1].shape[1]:
        raise InputError(f"{name}: both parts must count as many words, got "
                         f"{parts[0].shape[1]} and {parts[1].shape[1]}.")
    length = max(int(counts.sum(1).max()) for counts in parts)
    numbers = [np.zeros([len(counts), max(length, 1)], np.int32)
               for counts in parts]
    for counts, rows in zip(parts, numbers):
        for i, row in enumerate(counts):
            held = np.repeat(np.arange(1, len(row) + 1), row)
            rows[i, :len(held)] = held
    words = ("", *(f"word {j}" for j in range(parts[0].shape[1])))
    return UnigramData(name, numbers[0], numbers[1], words=words, **labels)


_MAKERS: dict[str, Callable[..., DataSet]] = {
    kinds.IMAGE: ImageData, kinds.VECTOR: VectorData,
    kinds.COUNTS: _documents}


def in_memory(train: Any, held_out: Any, kind: str = kinds.IMAGE,
              name: str = "in_memory") -> DataSet:
    """Builds a data set from examples, which are read once and kept in memory.

    The order of training is a function of seed and epoch, and an interrupted
    run resumes within an epoch. Examples are therefore read in advance and not
    again in every epoch; an iterable should give the same examples each time.

    Args:
        train: Training examples: an array [num, ...], or a tf.data.Dataset,
            generator or other finite iterable of single examples, or of pairs
            (example, class number).
        held_out: Held-out examples, likewise.
        kind: image, vector or counts, see `lebm_tf.kinds`; counts are the
            numbers of occurrences of words, integers >= 0 [num_words].
        name: Name of the data set, for messages.

    Raises:
        InputError: If there are no examples, a tf.data.Dataset is infinite,
            examples differ in shape, or they do not fit the kind.
    """
    if kind not in _MAKERS:
        raise InputError(f"kind must be one of {', '.join(_MAKERS)}, got "
                         f"{kind!r}.")
    (x_train, y_train), (x_test, y_test) = (
        _arrays(part, f"{name}: {what}")
        for part, what in ((train, "train"), (held_out, "held_out")))
    if (y_train is None) != (y_test is None):
        raise InputError(f"{name}: both parts or none must have class numbers, "
                         "got them for one.")
    labels, classes = class_numbers(
        name, {"y_train": y_train, "y_test": y_test})
    data = _MAKERS[kind](name, x_train, x_test, **labels, classes=classes)
    if kind == kinds.IMAGE:
        doubt_range(x_train, name)
    return data


def _arrays(examples: Any, what: str
            ) -> tuple[np.ndarray, np.ndarray | None]:
    """The examples, and their class numbers if any."""
    if isinstance(examples, (np.ndarray, tf.Tensor)):
        return np.asarray(examples), None
    if isinstance(examples, tf.data.Dataset):
        if examples.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise InputError(f"{what} must be finite, got an infinite "
                             "tf.data.Dataset; limit it with take(n).")
        examples = examples.as_numpy_iterator()
    if not isinstance(examples, Iterable):
        raise InputError(
            f"{what} must be an array, a tf.data.Dataset or an iterable of "
            f"examples, got a {type(examples).__name__}.")
    found = list(examples)
    if not found:
        raise InputError(f"{what} must hold at least one example, got none.")
    pairs = [isinstance(example, tuple) for example in found]
    if any(pairs) != all(pairs):
        raise InputError(f"{what} must hold examples, or pairs (example, class "
                         "number), got both.")
    x = [np.asarray(example[0] if pairs[0] else example) for example in found]
    shapes = {row.shape for row in x}
    if len(shapes) > 1:
        raise InputError(
            f"{what} must hold examples of one shape, got "
            f"{' and '.join(map(str, sorted(shapes)[:2]))}.")
    y = np.asarray([example[1] for example in found]) if pairs[0] else None
    return np.stack(x), y
