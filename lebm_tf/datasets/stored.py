"""Examples on disk, for data sets that do not fit into memory."""

import abc
import contextlib
import hashlib
import re
from typing import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError

_CHUNK = 64  # Examples read together where an array is asked for.
# Larger parts of stored data are not held out, since evaluators take arrays.
MOST_HELD_OUT = 10_000
# Training examples on disk that an evaluator of all of them takes.
MOST_EVALUATED = 50_000


class Stored(abc.ABC):
    """Examples on disk, in place of the array [num, *shape] of them.

    `read` is for pipelines. An index, as of an array, reads too: `x[:100]`,
    `x[mask]`. `taken` selects examples without reading them.

    Args:
        numbers: Numbers of the examples in the file or folder, int64 [num].
        checksums: A number for the contents of each of them, uint32 [num].
        example_shape: Shape of one example.
        dtype: Type of the examples.

    Attributes:
        lengths: Of sequences, tokens of each example, int32 [num].
    """
    lengths: np.ndarray

    def __init__(self, numbers: np.ndarray, checksums: np.ndarray,
                 example_shape: Sequence[int], dtype: type):
        self.numbers, self.checksums = numbers, checksums
        self.shape = (len(numbers), *example_shape)
        self.dtype, self.ndim = np.dtype(dtype), len(self.shape)
        self.size = int(np.prod(self.shape))
        self._read = tf.function(
            self.examples, [tf.TensorSpec([None], tf.int64)], autograph=False)

    @abc.abstractmethod
    def examples(self, numbers: tf.Tensor) -> tf.Tensor:
        """Reads examples by their numbers, also in a graph.

        Args:
            numbers: int64 [rows].

        Returns:
            [rows, *shape]. A file that cannot be read is an `InputError`, which
            TensorFlow wraps; see `named_failures`.
        """

    @abc.abstractmethod
    def taken(self, rows: np.ndarray | slice) -> "Stored":
        """The examples of the given rows: a mask, indices or a slice."""

    @property
    def digest(self) -> str:
        """Digest of the contents, in order."""
        return hashlib.sha256(np.ascontiguousarray(
            self.checksums).tobytes()).hexdigest()

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, key) -> np.ndarray:
        numbers = np.atleast_1d(self.numbers[key])
        found = np.empty((len(numbers), *self.shape[1:]), self.dtype)
        chunks = tf.data.Dataset.from_tensor_slices(numbers).batch(_CHUNK).map(
            self._read, tf.data.AUTOTUNE, deterministic=True)
        with named_failures():
            for i, chunk in enumerate(chunks.as_numpy_iterator()):
                found[i * _CHUNK:(i + 1) * _CHUNK] = chunk
        return found if np.ndim(self.numbers[key]) else found[0]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype)


def reader(x: np.ndarray | Stored) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function from indices, int64 [rows], to those examples, for
    pipelines: [rows, *shape].

    Args:
        x: Examples, in memory or on disk.
    """
    # Captured as inputs, so that the graph holds no constants.
    with tf.device("CPU"):
        if isinstance(x, Stored):
            numbers = tf.convert_to_tensor(x.numbers)
            return lambda index: x.examples(tf.gather(numbers, index))
        rows = tf.convert_to_tensor(x)
    return lambda index: tf.gather(rows, index)


def taken(x: np.ndarray | Stored, rows: np.ndarray) -> np.ndarray | Stored:
    """The examples of a mask or of indices; those on disk stay there."""
    return x.taken(rows) if isinstance(x, Stored) else x[rows]


def first(x: np.ndarray | Stored, most: int = MOST_EVALUATED
          ) -> np.ndarray | Stored:
    """The first `most` examples of those on disk, or all of an array; for
    evaluators, which cannot use any number."""
    return x.taken(slice(most)) if isinstance(x, Stored) else x


def refuse_stored(x: np.ndarray | Stored, what: str) -> None:
    """Raises InputError if examples are on disk; `what` needs an array."""
    if isinstance(x, Stored):
        raise InputError(
            f"{what} needs all {len(x):,} training examples in memory, got "
            f"examples that are read from disk; set --max_memory_gb to at "
            f"least {x.size * x.dtype.itemsize / 1e9:.1f}.")


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Raises the `InputError` of a reader in place of the error that TensorFlow
    makes of it."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = re.search(r"InputError: (.*)", str(error))
        if found is None:
            raise
        raise InputError(found[1]) from error
