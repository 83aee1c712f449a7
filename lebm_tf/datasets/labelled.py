"""Few labels beside many examples without.

What is not chosen here loses its label before training sees it: the labels of
the training part are taken out of the data altogether.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """The training examples whose labels are known.

    Attributes:
        x: As `x_train` of the data, [num_labels, ...].
        y: Class numbers, int64 [num_labels].
        index: Their rows in `x_train`, int64 [num_labels].
        batch_size: How many of them come with every batch, from 1 to
            num_labels.
    """
    x: np.ndarray
    y: np.ndarray
    index: np.ndarray
    batch_size: int


def count_classes(data: Any) -> int:
    """One more than the largest label; 0 if there are no labels."""
    labels = [data.y_train, data.y_test]
    if data.labelled is not None:
        labels.append(data.labelled.y)
    return max((int(y.max()) + 1 for y in labels if y is not None), default=0)


def label_split(data: Any, num_labels: int, *, seed: int = 0,
                stratified: bool = True, batch_size: int = 100) -> Any:
    """Keeps the labels of some training examples and forgets the others.

    All examples stay in `x_train`, those with a label too. The labels of
    validation and test parts stay: nothing is learned from them.

    Args:
        data: A data set with training labels.
        num_labels: How many, from 1 to the number of training examples.
        seed: Any int; another one is another draw of the labels.
        stratified: Equally many of every class (one more of the first where
            it does not come out even); else any rows.
        batch_size: Labelled rows of a training batch, cut to num_labels.

    Returns:
        The data with `labelled`, and without `y_train`.

    Raises:
        InputError: If there are no labels, or too few.
    """
    y = data.y_train
    if y is None:
        raise InputError(f"num_labels needs training labels, {data.name} has "
                         "none.")
    if not 1 <= num_labels <= len(y):
        raise InputError(f"num_labels must be from 1 to {len(y)}, the number "
                         f"of training examples of {data.name}, got "
                         f"{num_labels}.")
    if batch_size < 1:
        raise InputError("the number of labelled examples of a batch must be "
                         f">= 1, got {batch_size}.")
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
