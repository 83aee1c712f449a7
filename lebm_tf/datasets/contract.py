"""The interface of data sets: a kind, a training part and a held-out part."""

import abc
import types
from typing import TYPE_CHECKING, Any, ClassVar, Mapping, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.labelled import Labelled, count_classes
from lebm_tf.datasets.sequences.vocabulary import Vocabulary
from lebm_tf.datasets.stored import Stored

# An array, or None, or examples on disk; Any, because the kind of the data, or
# a check, says which.
Column: TypeAlias = np.ndarray | Any


class Part(NamedTuple):
    """One part of a data set.

    Attributes:
        name: train, test or validation.
        x: Examples, [num, ...].
        y: Class numbers, int64 [num], or None.
        attributes: A number per example, float32 [num], or None.
    """
    name: str
    x: Column
    y: Column
    attributes: Column


class DataSet(abc.ABC):
    """Examples, split into a training and a held-out part.

    A subclass is a frozen dataclass with fields of these names, or sets them in
    another way; missing ones have the defaults. A field without a default in
    the subclass, but with one here, must be declared as `dataclasses.field()`.

    Attributes:
        kind: One of `lebm_tf.kinds.KINDS`. Required.
        name: Name of the data, for messages. Required.
        shape: Shape of one example for models. Required.
        x_train: Training examples, an array [num_train, ...] for `to_model`, or
            a `Stored` in its place. Required.
        x_test: Held-out examples, an array [num_test, ...]. Required.
        x_validation: Validation examples, or None.
        y_train, y_test, y_validation: Class numbers from 0, int64 [num], or
            None.
        classes: Names of the classes; () if unknown.
        labelled: Training examples with known labels, after `label_split`;
            `y_train` is then None.
        attributes_train, attributes_test, attributes_validation: A number per
            example, such as a property of a molecule, float32 [num], or None.
        origin: How the data were loaded, as fields of `DataConfig`; saved with
            a run, so that it is evaluated on the same data.
        vocabulary: Vocabulary of sequences.
        num_tokens: Size of the vocabulary; 0 for other kinds.
        words: Words of word counts.
        past_length: Observed positions of trajectories; 0 for other kinds.
        scale: Model units per unit of position.
        unit: Unit of positions, "px" or "m".
    """
    __dataclass_fields__: ClassVar[dict[str, Any]]  # Of subclasses.
    kind: str
    name: str
    y_train: Column = None
    y_test: Column = None
    y_validation: Column = None
    classes: tuple[str, ...] = ()
    labelled: Labelled | None = None
    attributes_train: Column = None
    attributes_test: Column = None
    attributes_validation: Column = None
    origin: Mapping[str, Any] = types.MappingProxyType({})
    vocabulary: Vocabulary | Any = None
    words: tuple[str, ...] = ()
    unit: str = ""
    if TYPE_CHECKING:  # Read-only, because a subclass may compute them.
        @property
        def x_train(self) -> np.ndarray | Stored: ...

        @property
        def x_test(self) -> np.ndarray: ...

        @property
        def x_validation(self) -> np.ndarray | None: ...

        @property
        def num_tokens(self) -> int: ...

        @property
        def past_length(self) -> int: ...

        @property
        def scale(self) -> float: ...
    else:
        x_train: np.ndarray | Stored
        x_test: np.ndarray
        x_validation = None
        num_tokens = past_length = 0
        scale = 1.0

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one example for models."""

    @abc.abstractmethod
    def to_model(self, x) -> tf.Tensor:
        """Converts rows of `x_train` and other parts for models, [rows,
        *shape]."""

    @abc.abstractmethod
    def describe(self) -> str:
        """Short description of the contents, and of what was left out."""

    def parts(self) -> list["Part"]:
        """The training and held-out parts, and the validation part if there is
        one."""
        parts = [
            Part("train", self.x_train, self.y_train, self.attributes_train),
            Part("test", self.x_test, self.y_test, self.attributes_test)]
        if self.x_validation is not None:
            parts.append(Part("validation", self.x_validation,
                              self.y_validation, self.attributes_validation))
        return parts

    @property
    def num_classes(self) -> int:
        """The largest label plus one; 0 without labels."""
        return count_classes(self)
