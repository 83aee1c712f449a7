"""Vectors and bags of words in memory."""

import abc
import dataclasses
from typing import Any, ClassVar, Mapping

import numpy as np
import tensorflow as tf

from lebm_tf import kinds
from lebm_tf.datasets.classes import MOST_CLASSES
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.labelled import Labelled
from lebm_tf.datasets.reading import met
from lebm_tf.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class _Table(DataSet):
    """Rows with two dimensions and optional labels; checks its arrays."""
    name: str
    x_train: np.ndarray
    x_test: np.ndarray
    y_train: np.ndarray | None = None
    y_test: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    origin: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    x_validation: np.ndarray | None = None
    y_validation: np.ndarray | None = None
    labelled: Labelled | None = None

    _dtype: ClassVar[type]
    _form: ClassVar[str]

    @abc.abstractmethod
    def _check_values(self, x: np.ndarray, what: str) -> None:
        """Raises InputError if a value is invalid."""

    def __post_init__(self):
        for part, x, y, _ in self.parts():
            what = f"{self.name}: x_{part}"
            if x.dtype != self._dtype or x.ndim != 2 or not x.size:
                raise InputError(
                    f"{what} must be {self._dtype.__name__} {self._form}, got "
                    f"{x.dtype} {list(x.shape)}.")
            self._check_values(x, what)
            check_labels(y, len(x), f"{self.name}: y_{part}")


@dataclasses.dataclass(frozen=True, eq=False)
class VectorData(_Table):
    """A table of numbers, with a held-out part.

    Attributes:
        name: Name as given to `load_dataset`; starts error messages.
        x_train: float32 [num_train, width], each column with mean 0 and
            variance 1 over these rows.
        x_test: float32 [num_test, width], scaled likewise.
        y_train, y_test, y_validation: Class numbers, int64 [num], or None.
        classes: Names of the classes.
        counts: Observation during reading -> number of rows.
        origin: How the data were loaded; saved with a run.
        x_validation: Validation rows, or None.
        labelled: Rows with known labels, after `label_split`.

    Raises:
        InputError: If an array has another shape or dtype, or is not finite.
    """
    kind = kinds.VECTOR
    _dtype = np.float32
    _form = "[rows, width] with at least one row"

    def _check_values(self, x, what):
        if not np.isfinite(x).all():
            raise InputError(f"{what} must be finite, got NaN or infinity.")

    @property
    def shape(self) -> tuple[int]:
        """(width,)."""
        return tuple(self.x_train.shape[1:])

    @staticmethod
    def to_model(x) -> tf.Tensor:
        """Vectors for models: float32, unchanged."""
        return tf.cast(x, tf.float32)

    def describe(self) -> str:
        """Short description of the contents, and of what was left out."""
        return (f"{len(self.x_train):,} vectors of {self.shape[0]} numbers, "
                f"{len(self.x_test):,} held out{met(self.counts)}")


@dataclasses.dataclass(frozen=True, eq=False)
class UnigramData(_Table):
    """Documents as bags of words, with a held-out part.

    Attributes:
        name: Name as given to `load_dataset`; starts error messages.
        x_train: int32 [num_train, length]: ids of the words of a document, with
            repetitions; 0 for padding.
        x_test: int32 [num_test, length].
        words: The vocabulary, from the training part alone; id 0 means no word.
        y_train, y_test, y_validation: Class numbers, int64 [num], or None.
        classes: Names of the classes.
        counts, origin, x_validation, labelled: As in `VectorData`.

    Raises:
        InputError: If an array has another shape, dtype or range.
    """
    words: tuple[str, ...] = dataclasses.field(kw_only=True)

    kind = kinds.COUNTS
    _dtype = np.int32
    _form = "[documents, length] with at least one document"

    def _check_values(self, x, what):
        if x.min() < 0 or x.max() >= len(self.words):
            raise InputError(f"{what} must hold ids of {len(self.words)} "
                             f"words, got {x.min()} to {x.max()}.")

    @property
    def shape(self) -> tuple[int]:
        """(number of words,)."""
        return (len(self.words),)

    @property
    def frequencies(self) -> np.ndarray:
        """Relative frequencies of words in the training part, [num_words]; 0
        for id 0."""
        counts = np.bincount(self.x_train.ravel(), minlength=self.shape[0])
        counts[0] = 0
        return counts / counts.sum()

    def to_model(self, x) -> tf.Tensor:
        """Word counts for models, float32 [documents, num_words]."""
        # tf.math.bincount is a hundred times slower.
        x = tf.cast(x, tf.int32)
        where = tf.where(x > 0)
        words = tf.cast(tf.gather_nd(x, where), tf.int64)
        return tf.ensure_shape(tf.scatter_nd(
            tf.stack([where[:, 0], words], axis=1), tf.ones_like(
                words, tf.float32), tf.cast(
                [tf.shape(x)[0], self.shape[0]], tf.int64)),
            [x.shape[0], self.shape[0]])

    def describe(self) -> str:
        """Short description of the contents, and of what was left out."""
        return (f"{len(self.x_train):,} documents over {self.shape[0]:,} "
                f"words, {len(self.x_test):,} held out{met(self.counts)}")


def check_labels(y: np.ndarray | None, num_rows: int, what: str) -> None:
    """Raises InputError unless `y` is None or class numbers, one per row."""
    if y is None:
        return
    if y.dtype != np.int64 or y.shape != (num_rows,) or (
            y.min() < 0 or y.max() >= MOST_CLASSES):
        raise InputError(
            f"{what} must be int64 [{num_rows}] class numbers from 0 to "
            f"{MOST_CLASSES - 1}, got {y.dtype} {list(y.shape)} of {y.min()} "
            f"to {y.max()}.")
