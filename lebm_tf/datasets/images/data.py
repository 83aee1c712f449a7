"""Data sets of images, and the conversion between pixels and model units."""

import dataclasses
from typing import Any, Mapping

from absl import logging
import numpy as np
import tensorflow as tf

from lebm_tf import kinds
from lebm_tf.datasets.classes import MOST_CLASSES
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.labelled import Labelled
from lebm_tf.datasets.reading import check_finite, met
from lebm_tf.datasets.stored import Stored
from lebm_tf.errors import InputError

# float32 rounding of x / 127.5 - 1 may leave [-1, 1] by this much.
_RANGE_TOLERANCE = 1e-6


def to_model(x) -> tf.Tensor:
    """Converts pixels to model units: x / 127.5 - 1.

    Args:
        x: Pixels, uint8 0..255, any shape; or float32 already in [-1, 1].

    Returns:
        float32 in [-1, 1], same shape; floats are returned unchanged.
    """
    x = tf.convert_to_tensor(x)
    if x.dtype.is_floating:
        return tf.cast(x, tf.float32)
    return tf.cast(x, tf.float32) / 127.5 - 1.0


def to_uint8(x) -> tf.Tensor:
    """Converts model units to pixels; the inverse of `to_model`.

    Args:
        x: Finite floats, any shape; values outside [-1, 1] are clipped. uint8
            is returned unchanged.

    Returns:
        uint8 0..255, same shape, rounded to the nearest level.
    """
    x = tf.convert_to_tensor(x)
    if x.dtype == tf.uint8:
        return x
    levels = (tf.cast(x, tf.float32) + 1.0) * 127.5
    return tf.cast(tf.round(tf.clip_by_value(levels, 0.0, 255.0)), tf.uint8)


@dataclasses.dataclass(frozen=True, eq=False)
class ImageData(DataSet):
    """A data set of images of one size, with a held-out part.

    Attributes:
        name: Name as given to `load_dataset`; starts error messages.
        x_train: [num_train, height, width, channels], uint8 0..255 or float32
            in [-1, 1]; channels is 1 or 3. Or as many images on disk.
        x_test: [num_test, height, width, channels], same dtype.
        y_train: Class numbers from 0, int64 [num_train], or None.
        y_test: Class numbers from 0, int64 [num_test], or None.
        classes: Names of the classes; () if they are numbers.
        counts: Observation during reading -> number of files.
        origin: How the data were loaded: data_dir, image_size, crop,
            anomaly_label; saved with a run, so that it is evaluated on the same
            data.
        x_validation: Validation images, after `validation_split`, or None.
        y_validation: Their class numbers, or None.
        labelled: Images with known labels, after `label_split`; `y_train` is
            then None.

    Raises:
        InputError: If an array has another shape, dtype or range, or is not
            finite.
    """
    name: str
    x_train: np.ndarray | Stored
    x_test: np.ndarray
    y_train: np.ndarray | None = None
    y_test: np.ndarray | None = None
    origin: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    x_validation: np.ndarray | None = None
    y_validation: np.ndarray | None = None
    labelled: Labelled | None = None
    classes: tuple[str, ...] = ()
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)

    kind = kinds.IMAGE
    # For callers that have a data set but do not import this module.
    to_model = staticmethod(to_model)
    to_uint8 = staticmethod(to_uint8)

    def __post_init__(self):
        for part in self.parts():
            check_images(part.x, f"{self.name}: x_{part.name}")
            if part.y is not None:
                check_labels(part.y, len(part.x), f"{self.name}: y_{part.name}")
        train, test = self.x_train, self.x_test
        if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
            raise InputError(
                f"{self.name}: x_train and x_test must hold images of one "
                f"shape and dtype, got {_describe(train)} and "
                f"{_describe(test)}.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return tuple(self.x_train.shape[1:])

    def describe(self) -> str:
        """Short description of the contents."""
        shape = "x".join(map(str, self.shape))
        return (f"{len(self.x_train):,} images of {shape}, "
                f"{len(self.x_test):,} held out{met(self.counts)}")


def check_images(images: np.ndarray | Stored, what: str) -> None:
    """Raises InputError unless `images` are valid for `ImageData`."""
    if images.dtype not in (np.uint8, np.float32):
        raise InputError(f"{what} must be uint8 or float, got {images.dtype}.")
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise InputError(
            f"{what} must have shape [N, H, W] or [N, H, W, C] with C = 1 or "
            f"3, got {list(images.shape)}.")
    if not images.size:
        raise InputError(
            f"{what} must hold at least one image, got shape "
            f"{list(images.shape)}.")
    if not isinstance(images, Stored) and images.dtype == np.float32:
        _check_values(images, what)


def check_labels(labels: np.ndarray, num_images: int, what: str) -> None:
    """Raises InputError unless `labels` are class numbers, one per image."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"{what} must hold integer class numbers, got {labels.dtype}.")
    if labels.shape != (num_images,):
        raise InputError(
            f"{what} must have shape [{num_images}], one label per image, got "
            f"{list(labels.shape)}.")
    if labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise InputError(
            f"{what} must hold class numbers from 0 to {MOST_CLASSES - 1}, got "
            f"{labels.min()} to {labels.max()}.")


def doubt_range(images: np.ndarray, what: str) -> None:
    """Warns of pixels that seem to have another range.

    Args:
        images: Images, as in `ImageData`.
        what: Name of the images, which starts the warning.
    """
    if images.dtype == np.float32 and images.min() >= 0.0:
        logging.warning(
            "%s: no pixel of x_train is negative. Floats must be in [-1, 1]; "
            "if yours are in [0, 1], store 2 x - 1.", what)
    elif images.dtype == np.uint8 and images.max() < 16:
        logging.warning(
            "%s: no pixel of x_train is above %d. uint8 must be in 0..255, so "
            "these images are almost black; if yours are in [0, %d], store x * "
            "%d.", what,
            images.max(), images.max(), 255 // max(1, images.max()))


def _check_values(images: np.ndarray, what: str) -> None:
    """Raises InputError unless all floats are finite and in [-1, 1]."""
    check_finite(images, what)
    low, high = images.min(), images.max()
    if max(-low, high) > 1.0 + _RANGE_TOLERANCE:
        raise InputError(
            f"{what} is float and must be in [-1, 1], got values from {low:g} "
            f"to {high:g}; store uint8 0..255, or rescale.")


def _describe(images: np.ndarray | Stored) -> str:
    return f"{list(images.shape[1:])} {images.dtype}"
