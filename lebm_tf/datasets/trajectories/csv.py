"""A user's own trajectories from a table of text."""

import csv
import math
import os

import numpy as np

from lebm_tf.configuration.data import TrajectoryOptions
from lebm_tf.datasets.trajectories.data import (
    PARTS, TrajectoryData, from_tracks)
from lebm_tf.datasets.trajectories.files import cut_recording, joined
from lebm_tf.datasets.trajectories.windows import Recording, most_common_step
from lebm_tf.errors import InputError

REQUIRED = ("frame", "agent", "x", "y")
OPTIONAL = ("scene", "part")


def is_trajectory_table(path: str) -> bool:
    """Whether the first line of a file names the columns frame and agent.
    What can't be read is none; loading it says why."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            columns = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError):
        return False
    return {"frame", "agent"} <= {column.strip() for column in columns}


def load_csv(name: str, path: str, options: TrajectoryOptions
             ) -> TrajectoryData:
    """Reads a table of positions with a comma between the columns.

    The first line names the columns, in any order: frame, a whole number;
    agent, a number or a name; x and y, positions in `options.unit`; and, if
    wanted, scene, a name, where one file holds several recordings, and part,
    "train", "validation" or "test". Others are ignored. Without part, the
    last `options.test_fraction` of the time of every scene is the test part:
    no window reaches over that border.

    Args:
        name: Opens every error message.
        path: The file, UTF-8.
        options: How windows are cut; `unit` must be given.

    Raises:
        InputError: If the file or a value in it is not as said, or no agent
            has enough positions in a row.
    """
    if not options.unit:
        raise InputError(f"{name}: unit must be px or m, got none; say in "
                         "which the positions of the file are.")
    scenes = _read(name, path)
    recordings = [entry[0] for entry in scenes]
    try:
        frame_step = options.frame_step or most_common_step(recordings)
        parts = _parts(scenes, options)
        cuts = {part: [cut_recording(recording, frame_step, options)
                       for recording in parts[part]] for part in parts}
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return from_tracks(
        name, **{part: joined(cuts[part], f"{name}: {part}", options)
                 for part in cuts},
        unit=options.unit, frame_interval=options.frame_interval,
        frame_step=frame_step,
        num_gaps=sum(cut.num_gaps for part in cuts.values() for cut in part))


def _read(name, path) -> list[tuple[Recording, np.ndarray]]:
    """(recording, part of every row or "") of every scene in their order."""
    if not os.path.isfile(path):
        raise InputError(
            f"{name}: needs a table in a text file, got no file at {path}.")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name}: needs a table with commas in UTF-8, got "
                         f"{path}: {error}.") from error
    header = [word.strip() for word in lines[0]] if lines else []
    missing = [column for column in REQUIRED if column not in header]
    if missing:
        raise InputError(
            f"{name}: needs the columns {', '.join(REQUIRED)}, got "
            f"{', '.join(header) or 'none'} in the first line of {path}.")
    where = {column: header.index(column) for column in (*REQUIRED, *OPTIONAL)
             if column in header}
    rows = [_row(f"{name}: line {number}", words, where, len(header))
            for number, words in enumerate(lines[1:], 2) if any(words)]
    if not rows:
        raise InputError(f"{name}: needs rows under its first line, got none "
                         f"in {path}.")
    frame, agent, x, y, scene, part = zip(*rows)
    numbers = {who: number for number, who in enumerate(dict.fromkeys(agent))}
    columns = [np.array(frame, np.int64), np.array([
        numbers[who] for who in agent], np.int64),
        np.stack([x, y], axis=1), np.array(part)]
    scenes, scene = list(dict.fromkeys(scene)), np.array(scene)
    return [(Recording(key, *(values[scene == key] for values in columns[:3])),
             columns[3][scene == key]) for key in scenes]


def _row(what, words, where, num_columns):
    """(frame, agent, x, y, scene, part) of one line."""
    if len(words) != num_columns:
        raise InputError(f"{what} must have {num_columns} values as the first "
                         f"line, got {len(words)}.")
    words = {column: words[index].strip() for column, index in where.items()}
    numbers = {}
    for column in ("frame", "x", "y"):
        try:
            numbers[column] = float(words[column])
        except ValueError:
            raise InputError(f"{what}: {column} must be a number, got "
                             f"{words[column]!r}.") from None
        if not math.isfinite(numbers[column]):
            raise InputError(f"{what}: {column} must be finite, got "
                             f"{words[column]}.")
    frame = numbers["frame"]
    if frame != int(frame) or abs(frame) > 2**53:
        raise InputError(f"{what}: frame must be a whole number, got "
                         f"{words['frame']}.")
    if not words["agent"]:
        raise InputError(f"{what}: agent must be a number or a name, got "
                         "nothing.")
    part = words.get("part", "")
    if "part" in where and part not in PARTS:
        raise InputError(f"{what}: part must be {', '.join(PARTS)}, got "
                         f"{part!r}.")
    return (int(frame), words["agent"], numbers["x"], numbers["y"],
            words.get("scene", ""), part)


def _parts(scenes, options) -> dict[str, list[Recording]]:
    """The recordings of every part; validation only where the file has it."""
    given = {part for _, parts in scenes for part in parts}
    parts = {part: [] for part in PARTS
             if part in given or part != "validation"}
    for recording, part in scenes:
        if "" in given:
            first, last = recording.frame.min(), recording.frame.max()
            border = last - options.test_fraction * (last - first)
            part = np.where(recording.frame > border, "test", "train")
        for key in parts:
            rows = part == key
            if rows.any():
                parts[key].append(Recording(recording.name, *(
                    values[rows] for values in recording[1:])))
    return parts
