"""Validation splits, for selecting checkpoints and early stopping.

Selection on the test data would make the final figures optimistic.
"""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.images.pairs import is_pair
from lebm_tf.datasets.stored import MOST_HELD_OUT, Stored, taken
from lebm_tf.datasets.trajectories.data import is_trajectories
from lebm_tf.datasets.trajectories.split import (
    trajectory_split, trajectory_validation_view)
from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng


def validation_split(data: DataSet, fraction: float) -> DataSet:
    """Moves a part of the training examples to a validation part.

    The selected rows depend on their number alone, so runs with different seeds
    are comparable. The test part is unchanged.

    Args:
        data: Any data set; for trajectories whole scenes or stretches of time
            are moved, see `trajectory_split`.
        fraction: In (0, 1); rounded to whole examples, of data on disk at most
            `MOST_HELD_OUT`.

    Returns:
        The data with fewer training examples, with `x_validation` and, if there
        are labels, `y_validation`.

    Raises:
        InputError: If either part would be empty.
    """
    if is_trajectories(data):
        by = data.origin["trajectories"].validation_by
        return trajectory_split(data, fraction, 0, by)
    if is_pair(data):
        split: dict[str, Any] = {
            name: validation_split(domain, fraction)
            for name, domain in data.domains.items()}
        return dataclasses.replace(
            data, **split,
            origin={**data.origin, "validation_fraction": fraction})
    num_rows = len(data.x_train)
    size = round(fraction * num_rows)
    if isinstance(data.x_train, Stored):
        size = min(size, MOST_HELD_OUT)
    if not 0 < size < num_rows:
        raise InputError(
            "validation_fraction must leave examples in both parts of the "
            f"{num_rows} training examples of {data.name}, got {fraction}.")
    seed = rng.stream(rng.make_seed(0), "validation")
    order = rng.permutation(tf.range(num_rows, dtype=tf.int64), seed, num_rows)
    chosen = np.zeros(num_rows, bool)
    chosen[order.numpy()[:size]] = True
    labels = data.y_train
    return dataclasses.replace(
        data, x_train=taken(data.x_train, ~chosen),
        x_validation=data.x_train[chosen],
        y_train=None if labels is None else labels[~chosen],
        y_validation=None if labels is None else labels[chosen],
        origin={**data.origin, "validation_fraction": fraction})


def validation_view(data: DataSet) -> DataSet:
    """The data with the validation part in place of the test part.

    Raises:
        InputError: If there is no validation part.
    """
    if is_trajectories(data):
        return trajectory_validation_view(data)
    if is_pair(data):
        views: dict[str, Any] = {
            name: validation_view(domain)
            for name, domain in data.domains.items()}
        return dataclasses.replace(data, **views, is_paired=False)
    if data.x_validation is None:
        raise InputError(
            f"{data.name}: evaluate_every must be 0 without a validation part; "
            "set validation_fraction > 0, or call validation_split before the "
            "model is built.")
    values = {} if data.attributes_test is None else {
        "attributes_test": data.attributes_validation,
        "attributes_validation": None}
    return dataclasses.replace(
        data, x_test=data.x_validation, y_test=data.y_validation,
        x_validation=None, y_validation=None, **values)
