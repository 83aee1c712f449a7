"""Data sets of two unpaired image domains."""

import dataclasses
import functools
from typing import Any, Mapping, TypeGuard

import numpy as np
import tensorflow as tf

from lebm_tf import kinds
from lebm_tf.configuration.data import PairOptions
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.data import ImageData, to_model, to_uint8
from lebm_tf.errors import InputError

DOMAINS = ("a", "b")


@dataclasses.dataclass(frozen=True, eq=False)
class PairData(DataSet):
    """Images of two domains with one shape and unknown correspondence.

    A row of `x_train` holds two image indices, int64 [num_train, 2], and
    `to_model` returns the images of both domains by name, "a" and "b". There
    are as many rows as images in the larger domain; those of the smaller one
    repeat.

    Attributes:
        name: Name as given to `load_dataset`; starts error messages.
        a, b: The domains, each with its held-out part.
        options: How training images are sampled.
        is_paired: Whether held-out images correspond row by row, as those of
            `pair_made` do; not used in training.
        origin: How the data were loaded, as fields of `DataConfig`.

    Raises:
        InputError: If the domains have different shapes.
    """
    name: str
    a: ImageData
    b: ImageData
    options: PairOptions = PairOptions()
    is_paired: bool = False
    origin: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    kind = kinds.PAIR
    to_uint8 = staticmethod(to_uint8)

    def __post_init__(self):
        if self.a.shape != self.b.shape:
            raise InputError(
                f"{self.name}: needs two domains of one shape, got "
                f"{_size(self.a)} in {self.a.name} and {_size(self.b)} in "
                f"{self.b.name}; set image_size to resize both to squares.")
        if self.options.margin and self.shape[0] != self.shape[1]:
            raise InputError(f"{self.name}: pair_margin needs square images, "
                             f"got {_size(self.a)}.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.a.shape

    @property
    def domains(self) -> dict[str, ImageData]:
        """Name -> domain."""
        return {"a": self.a, "b": self.b}

    @functools.cached_property
    def x_train(self) -> np.ndarray:
        """Indices of training images, int64 [num_train, 2]."""
        return self._rows("train")

    @functools.cached_property
    def x_test(self) -> np.ndarray:
        """Indices of held-out images, int64 [num_test, 2]."""
        return self._rows("test")

    @functools.cached_property
    def x_validation(self) -> np.ndarray | None:
        """Indices of validation images, if any."""
        return None if self.a.x_validation is None else self._rows(
            "validation")

    def _rows(self, name):
        columns = []
        for data in self.domains.values():
            first = 0
            for part in _in_order(data):
                if part.name == name:
                    columns.append(first + np.arange(len(part.x)))
                first += len(part.x)
        longest = max(map(len, columns))
        return np.stack([np.resize(column, longest) for column in columns],
                        1).astype(np.int64)

    def to_model(self, x) -> dict[str, tf.Tensor]:
        """The images of rows of indices, float32 in [-1, 1]."""
        return {name: to_model(tf.gather(self._pictures[name], x[:, i]))
                for i, name in enumerate(DOMAINS)}

    @functools.cached_property
    def _pictures(self):
        return {name: np.concatenate([part.x for part in _in_order(data)])
                for name, data in self.domains.items()}

    def describe(self) -> str:
        """Short description of the domains."""
        return "; ".join(f"{name}: {data.describe()}"
                         for name, data in self.domains.items())


def is_pair(data: DataSet) -> TypeGuard[PairData]:
    """Whether a data set has two domains."""
    return data.kind == kinds.PAIR


def _in_order(data):
    """Parts in the order of their image indices: the validation part keeps its
    indices when it replaces the test part."""
    train, *others = data.parts()
    return [train, *reversed(others)]


def paired(name: str, a: ImageData, b: ImageData, options: PairOptions,
           origin: Mapping[str, Any]) -> PairData:
    """Builds a pair of domains; creates b from a if the options say so.

    In that case no training image is in both domains: a has those of even
    index, b those of odd index.

    Raises:
        InputError: If the shapes differ, or b cannot be created.
    """
    if not options.made:
        return PairData(name, a, b, options, origin=origin)
    if len(a.x_train) < 2:
        raise InputError(f"{name}: needs at least 2 training images, one for "
                         f"each domain, got {len(a.x_train)}.")

    def part(data, first, make):
        labels = data.y_train
        return dataclasses.replace(
            data, x_train=make(data.x_train[first::2]),
            x_test=make(data.x_test),
            y_train=None if labels is None else labels[first::2])
    return PairData(name, part(a, 0, lambda x: x), part(
        b, 1, lambda x: made(x, options.made, name)), options, True, origin)


def made(images: np.ndarray, how: str, name: str) -> np.ndarray:
    """Creates the images of a domain with known correspondence.

    Args:
        images: [N, H, W, C], uint8, or float32 in [-1, 1].
        how: inverted; turned (red becomes green, green blue and blue red); or
            edges (length of the Sobel gradient of the mean channel).
        name: Name of the data, for messages.

    Returns:
        Images of the same shape and dtype.

    Raises:
        InputError: If grey images are to be turned.
    """
    if how == "turned":
        if images.shape[-1] != 3:
            raise InputError(f"{name}: pair_made=turned needs color images, "
                             f"got images with {images.shape[-1]} channel.")
        return np.roll(images, 1, -1)
    x = to_model(images)
    if how == "inverted":
        x = -x
    else:
        gradients = tf.image.sobel_edges(tf.reduce_mean(x, -1, keepdims=True))
        # A step from -1 to 1 has length 8.
        length = tf.norm(gradients, axis=-1) / 4.0 - 1.0
        x = tf.minimum(tf.repeat(length, images.shape[-1], -1), 1.0)
    return (to_uint8(x) if images.dtype == np.uint8 else x).numpy()


def _size(data):
    return "x".join(map(str, data.shape))
