"""Data sets of token sequences."""

import dataclasses
from typing import Any, Mapping

import numpy as np
import tensorflow as tf

from lebm_tf import kinds
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.labelled import Labelled
from lebm_tf.datasets.reading import met
from lebm_tf.datasets.sequences.vocabulary import Vocabulary
from lebm_tf.datasets.stored import Stored
from lebm_tf.errors import InputError
from lebm_tf.token_ids import END, PAD


@dataclasses.dataclass(frozen=True, eq=False)
class SequenceData(DataSet):
    """A data set of token sequences, with a held-out part.

    Attributes:
        name: Name as given to `load_dataset`; starts error messages.
        x_train: int32 [num_train, length]: token ids, the end, then padding; or
            as many sequences on disk.
        x_test: int32 [num_test, length].
        vocabulary: Vocabulary, built from the training lines.
        counts: Observation during reading, such as "train/empty" -> number of
            lines or tokens.
        origin: How the data were loaded; saved with a run.
        x_validation: Validation sequences, or None.
        y_train, y_test, y_validation: Labels, int64 [num], or None.
        attributes_train, attributes_test, attributes_validation: A number per
            row, such as a property of a molecule, float32 [num], or None.
        labelled: Sequences with known labels, after `label_split`.

    Raises:
        InputError: If an array has another shape, dtype or range.
    """
    name: str
    x_train: np.ndarray | Stored
    x_test: np.ndarray
    vocabulary: Vocabulary = dataclasses.field()
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    origin: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    x_validation: np.ndarray | None = None
    y_train: np.ndarray | None = None
    y_test: np.ndarray | None = None
    y_validation: np.ndarray | None = None
    attributes_train: np.ndarray | None = None
    attributes_test: np.ndarray | None = None
    attributes_validation: np.ndarray | None = None
    labelled: Labelled | None = None

    kind = kinds.SEQUENCE

    def __post_init__(self):
        for part, x, _, values in self.parts():
            self._check(x, f"{self.name}: x_{part}")
            if values is not None and (
                    values.shape != x.shape[:1] or values.dtype != np.float32
                    or not np.isfinite(values).all()):
                raise InputError(
                    f"{self.name}: attributes_{part} must be float32 "
                    f"[{len(x)}] and finite, got {values.dtype} "
                    f"{list(values.shape)}.")

    def _check(self, x, what):
        if x.dtype != np.int32 or x.ndim != 2 or not x.size:
            raise InputError(
                f"{what} must be int32 [sequences, length] with at least one "
                f"sequence, got {x.dtype} {list(x.shape)}.")
        if x.shape[1:] != self.x_train.shape[1:]:
            raise InputError(f"{what} must have the length of x_train, "
                             f"{self.shape[0]}, got {x.shape[1]}.")
        if isinstance(x, Stored):  # Encoded by the vocabulary itself.
            return
        if x.min() < 0 or x.max() >= len(self.vocabulary):
            raise InputError(
                f"{what} must hold ids of {len(self.vocabulary)} tokens, got "
                f"{x.min()} to {x.max()}.")
        ended = (x == END).sum(1) == 1
        lengths = (x != PAD).sum(1)
        last = x[np.arange(len(x)), np.maximum(lengths - 1, 0)] == END
        if not (ended & last).all():
            row = int(np.argmin(ended & last))
            raise InputError(f"{what} must hold one end token in every row, "
                             f"after the last token, got row {row} without.")

    @property
    def shape(self) -> tuple[int]:
        """(length,)."""
        return tuple(self.x_train.shape[1:])

    @property
    def num_tokens(self) -> int:
        """Size of the vocabulary."""
        return len(self.vocabulary)

    @staticmethod
    def to_model(x) -> tf.Tensor:
        """Sequences for models: int32, unchanged."""
        return tf.cast(x, tf.int32)

    def describe(self) -> str:
        """Short description of the contents, and of what was left out."""
        return (f"{len(self.x_train):,} sequences of up to {self.shape[0]} "
                f"tokens, vocabulary {self.num_tokens:,}, "
                f"{len(self.x_test):,} held out{met(self.counts)}")
