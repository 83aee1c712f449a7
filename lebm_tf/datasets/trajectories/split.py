"""Validation splits of trajectories, separated in place or time.

Windows of a recording overlap, so random rows would have near copies in
training. Therefore whole scenes, or a stretch of the time of every scene, are
taken out. The test part is unchanged.
"""

import dataclasses

from absl import logging
import numpy as np
import tensorflow as tf

from lebm_tf.datasets.trajectories.data import (
    Tracks, TrajectoryData, replace_tracks)
from lebm_tf.errors import InputError
from lebm_tf.mcmc import rng

KINDS = ("scene", "time")


def trajectory_split(data: TrajectoryData, fraction: float, seed: int,
                     by: str = "scene") -> TrajectoryData:
    """Moves a part of the training windows to a validation part.

    Args:
        data: Trajectories without a validation part.
        fraction: Fraction of the training windows, or time, in (0, 1).
        seed: Seed that selects scenes or times.
        by: "scene" takes whole scenes in random order, as many as come closest
            to `fraction`. "time" takes one stretch of every scene; windows that
            cross its borders are dropped.

    Returns:
        The data with fewer training windows, and a validation part.

    Raises:
        InputError: If there is a validation part already, an argument is
            invalid, or a part would be empty.
    """
    train = data.train
    if data.part("validation") is not None:
        raise InputError(f"{data.name} has a validation part already.")
    if by not in KINDS:
        raise InputError(
            f"by must be {' or '.join(KINDS)}, got {by!r}.")
    if not 0 < fraction < 1:
        raise InputError(
            f"validation_fraction must be in (0, 1), got {fraction}.")
    seed_of_split = rng.stream(rng.make_seed(seed), "validation")
    if by == "scene":
        chosen = _whole_scenes(data.name, train, fraction, seed_of_split)
        kept = ~chosen
    else:
        span = data.frame_step * (data.past_length + data.future_length - 1)
        chosen, kept = _stretches(train, span, fraction, seed_of_split)
    if not chosen.any() or not kept.any():
        raise InputError(
            "validation_fraction must leave windows in both parts of the "
            f"{len(chosen)} training windows of {data.name}, got {fraction}.")
    logging.info("%s: %d windows to train on, %d to validate, %d dropped",
                 data.name, kept.sum(), chosen.sum(),
                 len(chosen) - kept.sum() - chosen.sum())
    return replace_tracks(
        data, train=_renumbered(train.take(kept)),
        validation=_renumbered(train.take(chosen)),
        origin={**data.origin, "validation_fraction": fraction})


def trajectory_validation_view(data: TrajectoryData) -> TrajectoryData:
    """The data with the validation part in place of the test part.

    Raises:
        InputError: If there is no validation part.
    """
    validation = data.part("validation")
    if validation is None:
        raise InputError(
            f"{data.name}: evaluate_every must be 0 without a validation part; "
            "set validation_fraction > 0.")
    view = replace_tracks(data, test=validation, validation=None,
                          origin=data.origin)
    return dataclasses.replace(view, final=data.test)


def _whole_scenes(name, train, fraction, seed) -> np.ndarray:
    """Mask of the rows of the selected scenes, bool [N]."""
    scenes, index = np.unique(train.scene, return_inverse=True)
    if len(scenes) < 2:
        raise InputError(
            f"{name} must have at least two scenes for a split by scene, got "
            f"{len(scenes)}; split it by time.")
    order = rng.permutation(tf.range(len(scenes), dtype=tf.int64), seed,
                            len(scenes)).numpy()
    sizes = np.cumsum(np.bincount(index)[order])[:-1]
    num_taken = np.argmin(np.abs(sizes - fraction * len(index))) + 1
    return np.isin(index, order[:num_taken])


def _stretches(train: Tracks, span: int, fraction: float, seed
               ) -> tuple[np.ndarray, np.ndarray]:
    """Masks of the rows inside and outside a stretch of each scene, bool [N].

    Args:
        train: The windows.
        span: Frames from the first to the last position of a window.
        fraction: Fraction of the time of a scene.
        seed: int32 [2].
    """
    scenes, index = np.unique(train.scene, return_inverse=True)
    place = rng.uniform([len(scenes)], seed, tf.float64).numpy()
    end = train.start + span
    inside, outside = np.zeros((2, len(index)), bool)
    for scene in range(len(scenes)):
        rows = index == scene
        first, last = train.start[rows].min(), end[rows].max()
        length = fraction * (last - first)
        begin = first + place[scene] * (last - first - length)
        inside |= rows & (train.start >= begin) & (end <= begin + length)
        outside |= rows & ((end < begin) | (train.start > begin + length))
    return inside, outside


def _renumbered(tracks: Tracks) -> Tracks:
    """The same groups, numbered from 0 without gaps."""
    _, group = np.unique(tracks.group, return_inverse=True)
    return tracks._replace(group=group.astype(np.int64))
