"""Public pedestrian trajectories: Stanford Drone and ETH/UCY."""

import os

import numpy as np

from lebm_tf.configuration.data import TrajectoryOptions
from lebm_tf.datasets.images.files import read_npz
from lebm_tf.datasets.trajectories.data import (
    Tracks, TrajectoryData, concatenate, from_tracks)
from lebm_tf.datasets.trajectories.windows import (
    NEIGHBOUR_DISTANCE, Cut, Recording, cut_windows, regrouped)
from lebm_tf.errors import InputError
from lebm_tf.files import read_json

SDD_FILE = "sdd/sdd_trajnet.npz"
SDD_STEP = 12  # Frames, at 30 per second.
ETH_FILES = ("eth_ucy/eth_ucy_raw.npz", "eth_ucy/splits.json")
ETH_STEP = 10  # Frame numbers in the text files, for every camera.
_INTERVAL = 0.4  # Seconds; both have 2.5 positions per second.
_COLUMNS = ("xy_px", "scene", "start_frame")


def load_sdd(name: str, data_dir: str, options: TrajectoryOptions
             ) -> TrajectoryData:
    """Stanford Drone, the TrajNet split, in pixels of the videos.

    It has 8494 training windows of 20 positions in 30 videos, and 2829 test
    windows in 17 others. There is no validation part; `trajectory_split` makes
    one.

    Args:
        name: Name of the data, for messages.
        data_dir: Folder with sdd/sdd_trajnet.npz, which has for train_ and
            test_ the arrays xy_px, float [N, 20, 2]; scene, str [N];
            start_frame, integers [N].
        options: `stride` must be 1, since the file holds finished windows. A
            shorter past_length + future_length takes their beginning.

    Raises:
        InputError: If the file is invalid, or its windows are too short.
    """
    path = os.path.join(data_dir, SDD_FILE)
    if options.stride != 1 or options.min_agents != 1:
        raise InputError(f"{name}: stride and min_agents must be 1, because "
                         f"{SDD_FILE} holds finished windows, got "
                         f"{options.stride} and {options.min_agents}.")
    arrays = read_npz(name, path, tuple(
        f"{part}_{column}" for part in ("train", "test")
        for column in _COLUMNS))
    distance = options.neighbour_distance
    if distance < 0:
        distance = NEIGHBOUR_DISTANCE
    parts = {part: _sdd_part(name, part, arrays, options, distance)
             for part in ("train", "test")}
    return from_tracks(name, **parts, unit="px", frame_interval=_INTERVAL,
                       frame_step=SDD_STEP)


def load_eth_ucy(name: str, data_dir: str, options: TrajectoryOptions
                 ) -> TrajectoryData:
    """ETH/UCY, leave-one-scene-out, in metres.

    Args:
        name: The test scene: "eth", "hotel", "univ", "zara1" or "zara2". The
            others are for training, except the last part of each recording,
            which is the validation part: the common split of Social-GAN
            (arXiv:1803.10892).
        data_dir: Folder with eth_ucy/eth_ucy_raw.npz, which has for every
            recording an array [rows, 4] of frame, pedestrian, x, y; and
            eth_ucy/splits.json, {name: {"train": [keys], "val": [keys], "test":
            [keys]}}.
        options: How windows are cut and grouped. LB-EBM counts every window,
            loaders that follow Social-GAN those of two agents or more
            (`min_agents=2`); their figures are not comparable.

    Raises:
        InputError: If a file is invalid.
    """
    raw, splits = (os.path.join(data_dir, file) for file in ETH_FILES)
    if not os.path.isfile(splits):
        raise InputError(f"{name}: needs {splits}, got no file there.")
    folds = read_json(splits)
    try:
        keys = {part: [str(key) for key in folds[name][theirs]]
                for part, theirs in (("train", "train"), ("test", "test"),
                                     ("validation", "val"))}
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{name}: {splits} must hold lists of keys for train, val and "
            f"test under {name!r}, got none.") from error
    arrays = read_npz(name, raw, tuple(sorted(
        {key for part in keys.values() for key in part})))
    cuts = {part: [cut_recording(_recording(name, key, arrays[key]), ETH_STEP,
                                 options) for key in keys[part]]
            for part in keys}
    return from_tracks(
        name, **{part: joined(cuts[part], f"{name}: {part}", options)
                 for part in cuts},
        unit="m", frame_interval=_INTERVAL, frame_step=ETH_STEP,
        num_gaps=sum(cut.num_gaps for part in cuts.values() for cut in part))


def cut_recording(recording: Recording, frame_step: int,
                  options: TrajectoryOptions) -> Cut:
    """`cut_windows` with options, including groups."""
    cut = cut_windows(
        recording, options.past_length, options.future_length, frame_step,
        stride=options.stride, min_agents=options.min_agents)
    if options.neighbour_distance < 0:
        return cut
    return cut._replace(tracks=regrouped(
        cut.tracks, cut.tracks.group, frame_step, options.neighbour_distance))


def joined(cuts: list[Cut], what: str, options: TrajectoryOptions) -> Tracks:
    """The windows of several recordings.

    Raises:
        InputError: If there are none.
    """
    if not any(len(cut.agent) for cut in cuts):
        raise InputError(
            f"{what} must have an agent with "
            f"{options.past_length + options.future_length} positions in a "
            "row without a gap"
            + (f" and {options.min_agents} such agents at one time"
               if options.min_agents > 1 else "")
            + f", got none in {len(cuts)} scenes.")
    return concatenate([cut.tracks for cut in cuts])


def _sdd_part(name, part, arrays, options, distance) -> Tracks:
    """The first positions of the finished windows, with groups."""
    xy, scene, start = (arrays[f"{part}_{column}"] for column in _COLUMNS)
    if xy.ndim != 3 or xy.shape[-1] != 2:
        raise InputError(f"{name}: {part}_xy_px must have shape "
                         f"[N, length, 2], got {list(xy.shape)}.")
    past, length = options.past_length, (
        options.past_length + options.future_length)
    if xy.shape[1] < length:
        raise InputError(
            f"{name}: past_length + future_length must be at most "
            f"{xy.shape[1]}, the length of the windows, got {length}.")
    xy = xy.astype(np.float64)
    tracks = Tracks(
        xy[:, :past], xy[:, past:length], np.zeros(len(xy), np.int64),
        scene, start.astype(np.int64))
    _, first, index = np.unique(scene, return_index=True, return_inverse=True)
    return regrouped(tracks, first[index], SDD_STEP, distance)


def _recording(name: str, key: str, rows: np.ndarray) -> Recording:
    """A recording from rows of frame, pedestrian, x, y.

    Raises:
        InputError: If the rows are invalid or not finite.
    """
    if rows.ndim != 2 or rows.shape[1] != 4 or not len(rows):
        raise InputError(f"{name}: {key} must have shape [rows, 4], got "
                         f"{list(rows.shape)}.")
    if not np.isfinite(rows).all():
        raise InputError(f"{name}: {key} must be finite, got "
                         f"{np.sum(~np.isfinite(rows))} NaN or infinite.")
    numbers = rows[:, :2].astype(np.int64)
    if (numbers != rows[:, :2]).any():
        raise InputError(f"{name}: frames and pedestrians of {key} must be "
                         "whole numbers, got others.")
    return Recording(key, numbers[:, 0], numbers[:, 1], rows[:, 2:])
