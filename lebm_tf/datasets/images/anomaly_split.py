"""Anomaly splits: data with one class excluded from training."""

import numpy as np

from lebm_tf.datasets.classes import number_of
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.data import ImageData
from lebm_tf.datasets.stored import refuse_stored
from lebm_tf.errors import InputError
from lebm_tf.kinds import IMAGE

_SHUFFLE_SEED = 42
_TRAIN_FRACTION = 0.8


def anomaly_split(data: DataSet, label: int) -> ImageData:
    """Splits data again so that one class is excluded from training.

    This is the split of all published figures: training and held-out images are
    pooled, the anomaly class is removed, the rest is shuffled with NumPy's seed
    42, and the first 80% are for training. The held-out part consists of the
    other 20%, followed by the whole anomaly class. As in the code of Yu et al.
    2023, arXiv:2310.03218.

    Args:
        data: Images with labels in both parts.
        label: The anomaly class.

    Returns:
        The same images, with their labels.

    Raises:
        InputError: If the data are not images or have no labels, or there are
            no images of that class or of others.
    """
    if data.kind != IMAGE:
        raise InputError(f"an anomaly split needs images, got {data.name}.")
    if data.y_train is None or data.y_test is None:
        raise InputError(
            f"an anomaly split needs labels, got none in {data.name}.")
    refuse_stored(data.x_train, f"{data.name}: an anomaly split")
    x = np.concatenate([data.x_train, data.x_test])
    y = np.concatenate([data.y_train, data.y_test])
    number = number_of(data.classes, label)
    if number not in y:
        known = data.classes or map(str, np.unique(y))
        raise InputError(f"{data.name}: anomaly label must be one of "
                         f"{', '.join(known)}, got {label}.")
    normal, strange = np.flatnonzero(y != number), np.flatnonzero(y == number)
    if len(normal) < 2:
        raise InputError(
            f"{data.name}: an anomaly split needs at least 2 images of classes "
            f"other than {label}, got {len(normal)}.")
    # Not rng: the published split uses this generator.
    normal = np.random.RandomState(_SHUFFLE_SEED).permutation(normal)
    size = int(_TRAIN_FRACTION * len(normal))
    test = np.concatenate([normal[size:], strange])
    return ImageData(data.name, x[normal[:size]], x[test],
                     y[normal[:size]], y[test],
                     {**data.origin, "anomaly_label": label},
                     classes=data.classes)
