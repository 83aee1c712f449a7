"""A user's trajectories from a table."""

import math
import os

from absl import logging
import numpy as np

from lebm_tf.configuration.data import TrajectoryOptions
from lebm_tf.datasets.rows import Row, is_number, rows_of
from lebm_tf.datasets.trajectories.data import (
    PARTS, TrajectoryData, from_tracks)
from lebm_tf.datasets.trajectories.files import cut_recording, joined
from lebm_tf.datasets.trajectories.rates import doubt_unit, in_common_frames
from lebm_tf.datasets.trajectories.windows import Recording
from lebm_tf.errors import InputError
from lebm_tf.text_files import named, read_text

REQUIRED = ("frame", "agent", "x", "y")
OPTIONAL = ("scene", "part")


def is_trajectory_table(path: str) -> bool:
    """Whether the first line of a file names the columns frame and agent, or
    has four numbers, as the files of ETH/UCY; False if it cannot be read."""
    try:
        text = read_text(path, path)
        columns = (_rows(text[:text.find("\n")], path) or [Row(1, [])])[0]
    except InputError:
        return False
    return {"frame", "agent"} <= set(columns.values) or _is_published(
        columns.values) and "," not in text[:text.find("\n")]


def load_csv(name: str, path: str, options: TrajectoryOptions
             ) -> TrajectoryData:
    """Reads a table of positions.

    The first line names the columns, in any order: frame, an integer; agent, a
    number or a name; x and y, positions in `options.unit`; and optionally
    scene, a name, for several recordings, and part, "train", "validation" or
    "test". Other columns are ignored. A file with four numbers per line and no
    header holds frame, agent, x and y, as published for ETH/UCY. Values are
    separated by commas, semicolons, tabs or spaces. Agents that are all numbers
    are compared as numbers. Without the column part, the last
    `options.test_fraction` of the time of every scene is the test part, and no
    window crosses that border.

    Args:
        name: Name of the data, for messages.
        path: The file, UTF-8.
        options: How windows are cut; `unit` is required.

    Raises:
        InputError: If the file or a value is invalid, or no agent has enough
            consecutive positions.
    """
    if not options.unit:
        raise InputError(f"{name}: unit must be px or m, the unit of the "
                         "positions in the file, got none.")
    scenes = _read(name, path)
    frame_step = options.frame_step
    try:
        if not frame_step:
            common, frame_step = in_common_frames([
                scene for scene, _ in scenes])
            scenes = list(zip(common, [part for _, part in scenes]))
        parts = _parts(scenes, options)
        cuts = {part: [cut_recording(recording, frame_step, options)
                       for recording in parts[part]] for part in parts}
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    tracks = {part: joined(cuts[part], f"{name}: {part}", options)
              for part in cuts}
    _name_empty(name, scenes, tracks)
    if options.unit == "m":
        doubt_unit(np.linalg.norm(np.diff(tracks["train"].past, axis=1),
                                  axis=-1), options.frame_interval, name)
    return from_tracks(
        name, **tracks,
        unit=options.unit, frame_interval=options.frame_interval,
        frame_step=frame_step,
        num_gaps=sum(cut.num_gaps for part in cuts.values() for cut in part))


def _read(name, path) -> list[tuple[Recording, np.ndarray]]:
    """(recording, part of every row or "") of every scene, in order."""
    if not os.path.isfile(path):
        raise InputError(
            f"{name}: needs a table in a text file, got no file at {path}.")
    lines = _rows(read_text(path, named(name, path)), named(name, path))
    header = lines[0].values if lines else []
    if _is_published(header):
        lines, header = [Row(0, []), *lines], list(REQUIRED)
    missing = [column for column in REQUIRED if column not in header]
    if missing:
        raise InputError(
            f"{name}: needs the columns {', '.join(REQUIRED)}, got "
            f"{', '.join(header) or 'none'} in the first line of {path}.")
    where = {column: header.index(column) for column in (*REQUIRED, *OPTIONAL)
             if column in header}
    rows = [_row(f"{name}: line {line}", words, where, len(header))
            for line, words in lines[1:] if any(words)]
    if not rows:
        raise InputError(f"{name}: needs rows under its first line, got none "
                         f"in {path}.")
    frame, agent, x, y, scene, part = zip(*rows)
    if all(map(is_number, agent)):
        agent = tuple(map(float, agent))
    _check_once(name, zip(scene, part, agent, frame), [
        line for line, words in lines[1:] if any(words)])
    numbers = {who: number for number, who in enumerate(dict.fromkeys(agent))}
    columns = [np.array(frame, np.int64), np.array([
        numbers[who] for who in agent], np.int64),
        np.stack([x, y], axis=1), np.array(part)]
    scenes = np.array(scene)
    return [(Recording(key, *(values[scenes == key] for values in columns[:3])),
             columns[3][scenes == key]) for key in dict.fromkeys(scene)]


def _rows(text, what) -> list[Row]:
    """The rows of a table; separated by spaces if there are no other
    delimiters."""
    first = text[:text.find("\n")]
    if any(delimiter in first for delimiter in ",;\t"):
        return rows_of(text, what)
    return [Row(number, line.split())
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip()]


def _is_published(values) -> bool:
    """Whether a first line is that of the public files: numbers, no names."""
    return len(values) == len(REQUIRED) and all(map(is_number, values))


def _check_once(name, keys, lines):
    """Refuses a second row of an agent in one frame."""
    seen: dict[tuple, int] = {}
    for key, line in zip(keys, lines):
        if key in seen:
            scene, _, agent, frame = key
            agent = f"{agent:g}" if isinstance(agent, float) else agent
            where = f" of the scene {scene!r}" if scene else ""
            raise InputError(
                f"{name}: an agent must have one row per frame, got agent "
                f"{agent!r}{where} at frame {frame} in the lines {seen[key]} "
                f"and {line}.")
        seen[key] = line


def _name_empty(name, scenes, tracks):
    """Logs the scenes without any window."""
    used = {scene for part in tracks.values() for scene in part.scene}
    empty = [scene.name for scene, _ in scenes if scene.name not in used]
    if empty:
        logging.warning(
            "%s: %d of %d scenes have no agent with enough consecutive "
            "positions and are left out: %s.", name, len(empty), len(scenes),
            ", ".join(map(repr, empty)))


def _row(what, words, where, num_columns):
    """(frame, agent, x, y, scene, part) of one line."""
    if len(words) != num_columns:
        raise InputError(f"{what} must have {num_columns} values, like the "
                         f"first line, got {len(words)}.")
    words = {column: words[index] for column, index in where.items()}
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
    """The recordings of every part; validation only if the file has it."""
    given = {part for _, parts in scenes for part in parts}
    parts: dict[str, list[Recording]] = {
        part: [] for part in PARTS if part in given or part != "validation"}
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
