"""What every data set owes: a training part, a held-out part, a kind."""

import abc
import types
from typing import Any, Mapping, NamedTuple

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.labelled import Labelled, count_classes


class Part(NamedTuple):
    """One part of a data set.

    Attributes:
        name: train, test or validation.
        x: Its examples, [num, ...].
        y: Their class numbers, int64 [num], or None.
        attributes: A number of each, float32 [num], or None.
    """
    name: str
    x: np.ndarray
    y: np.ndarray | None
    attributes: np.ndarray | None


class DataSet(abc.ABC):
    """Examples in memory, some to train on and some held out.

    A subclass is a frozen dataclass whose fields have these names, or sets
    them in another way; whatever it leaves out has the default. A field
    without a default of its own that has one here must be declared as
    `dataclasses.field()`, or it takes that one.

    Attributes:
        kind: One of `lebm_tf.kinds.KINDS`. Owed.
        name: What it is called; opens every error message. Owed.
        shape: Of one example as models take it. Owed.
        x_train: Examples to train on, an array [num_train, ...] that
            `to_model` reads. Owed.
        x_test: Those held out, [num_test, ...]. Owed.
        x_validation: Those to choose by, or None.
        y_train, y_test, y_validation: Their class numbers from 0, int64
            [num], or None.
        classes: What the class numbers stand for; () if nobody knows.
        labelled: Training examples whose labels are known, where
            `label_split` made some; `y_train` is None then.
        attributes_train, attributes_test, attributes_validation: A number of
            each example, as a property of a molecule, float32 [num], or None.
        origin: How it was loaded, as fields of `RunConfig`; kept with a run,
            so that it is measured on the same data.
        vocabulary: What tokens stand for; of sequences.
        num_tokens: Size of the vocabulary; 0 of other kinds.
        words: What positions count; of counts.
        past_length: Observed positions of trajectories; 0 of other kinds.
        scale: Units of the model for one of positions.
        unit: Of positions, "px" or "m".
    """
    kind: str
    name: str
    x_train: np.ndarray
    x_test: np.ndarray
    x_validation = None
    y_train = y_test = y_validation = None
    classes: tuple[str, ...] = ()
    labelled: Labelled | None = None
    attributes_train = attributes_test = attributes_validation = None
    origin: Mapping[str, Any] = types.MappingProxyType({})
    vocabulary = None
    num_tokens = 0
    words: tuple[str, ...] = ()
    past_length = 0
    scale = 1.0
    unit = ""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one example as models take it."""

    @abc.abstractmethod
    def to_model(self, x) -> tf.Tensor:
        """Rows of `x_train` and so on as models take them, [rows, *shape]."""

    @abc.abstractmethod
    def describe(self) -> str:
        """What it holds and what was left out, in a few words."""

    def parts(self) -> list["Part"]:
        """Training and held-out part, and that to choose by if there is."""
        parts = [
            Part("train", self.x_train, self.y_train, self.attributes_train),
            Part("test", self.x_test, self.y_test, self.attributes_test)]
        if self.x_validation is not None:
            parts.append(Part("validation", self.x_validation,
                              self.y_validation, self.attributes_validation))
        return parts

    @property
    def num_classes(self) -> int:
        """One more than the largest label; 0 without labels."""
        return count_classes(self)
