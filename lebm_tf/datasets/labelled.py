"""Semi-supervised splits: few labelled examples among many unlabelled ones.

The labels of all other training examples are removed from the data before
training.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """Training examples with known labels.

    Attributes:
        x: Examples, as in `x_train`, [num_labels, ...].
        y: Class numbers, int64 [num_labels].
        index: Their rows in `x_train`, int64 [num_labels].
        batch_size: Labelled examples per batch, from 1 to num_labels.
    """
    x: np.ndarray
    y: np.ndarray
    index: np.ndarray
    batch_size: int


def count_classes(data: Any) -> int:
    """The largest label plus one; 0 without labels."""
    labels = [data.y_train, data.y_test]
    if data.labelled is not None:
        labels.append(data.labelled.y)
    return max((int(y.max()) + 1 for y in labels if y is not None), default=0)


def label_split(data: Any, num_labels: int, *, seed: int = 0,
                stratified: bool = True, batch_size: int = 100) -> Any:
    """Keeps the labels of some training examples and removes the others.

    All examples stay in `x_train`. The labels of validation and test parts are
    kept, since they are not trained on.

    Args:
        data: A data set with training labels.
        num_labels: Number of labels to keep, from 1 to the number of training
            examples.
        seed: Any int; selects the examples.
        stratified: Whether to select equally many of every class (one more of
            the first classes if they cannot be equal).
        batch_size: Labelled rows per batch, limited to num_labels.

    Returns:
        The data with `labelled`, and without `y_train`.

    Raises:
        InputError: If there are no labels, or too few.
    """
    y = data.y_train
    if y is None:
        raise InputError("num_labels needs training labels, got none in "
                         f"{data.name}.")
    if not 1 <= num_labels <= len(y):
        raise InputError(f"num_labels must be from 1 to {len(y)}, the number "
                         f"of training examples of {data.name}, got "
                         f"{num_labels}.")
    if batch_size < 1:
        raise InputError(f"labelled_batch_size must be >= 1, got {batch_size}.")
    order = rng.permutation(
        tf.range(len(y), dtype=tf.int64),
        rng.stream(rng.make_seed(seed), "labels"), len(y)).numpy()
    chosen = np.sort(_stratified(data.name, y, order, num_labels)
                     if stratified else order[:num_labels])
    return dataclasses.replace(
        data, y_train=None, labelled=Labelled(
            data.x_train[chosen], y[chosen].astype(np.int64), chosen,
            min(batch_size, num_labels)),
        origin={**data.origin, "num_labels": num_labels, "label_seed": seed,
                "label_stratified": stratified,
                "labelled_batch_size": batch_size})


def _stratified(name, y, order, num_labels):
    classes, available = np.unique(y, return_counts=True)
    share, more = divmod(num_labels, len(classes))
    wanted = share + (np.arange(len(classes)) < more)
    if (available < wanted).any():
        first = int(np.argmax(available < wanted))
        raise InputError(
            f"{name}: stratified labels need {wanted[first]} examples of class"
            f" {classes[first]}, got {available[first]}.")
    return np.concatenate([
        order[y[order] == label][:count]
        for label, count in zip(classes, wanted)])
