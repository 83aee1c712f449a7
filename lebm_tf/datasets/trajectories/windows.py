"""Windows of recordings, and groups of neighbouring agents."""

from typing import NamedTuple

import numpy as np

from lebm_tf.datasets.trajectories.data import Tracks
from lebm_tf.errors import InputError

# For the Stanford Drone batches of LB-EBM and PECNet, in pixels.
NEIGHBOUR_DISTANCE = 100.0


class Recording(NamedTuple):
    """Positions of agents in one scene, one per row, in any order.

    Attributes:
        name: Name of the scene.
        frame: int64 [rows].
        agent: int64 [rows].
        position: float64 [rows, 2].
    """
    name: str
    frame: np.ndarray
    agent: np.ndarray
    position: np.ndarray


class Cut(NamedTuple):
    """Result of `cut_windows`.

    Attributes:
        tracks: The windows, ordered by start and agent; agents with one start
            form a group.
        agent: Agent of each window, int64 [N].
        num_gaps: Number of places where an agent's next row is not `frame_step`
            later.
    """
    tracks: Tracks
    agent: np.ndarray
    num_gaps: int


def most_common_step(recordings: list[Recording]) -> int:
    """The most frequent distance between consecutive frames of an agent.

    Raises:
        InputError: If no agent has two rows.
    """
    found = []
    for recording in recordings:
        order = np.lexsort((recording.frame, recording.agent))
        same = np.diff(recording.agent[order]) == 0
        found.append(np.diff(recording.frame[order])[same])
    steps = np.concatenate(found)
    if not len(steps):
        raise InputError(
            "no agent has two rows; a path needs several frames of one agent.")
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])


def cut_windows(recording: Recording, past_length: int, future_length: int,
                frame_step: int, *, stride: int = 1, min_agents: int = 1
                ) -> Cut:
    """All windows in which an agent has a row at every `frame_step`.

    A window never spans a gap: at a missing row, one path ends and another
    starts. (The loader of LB-EBM takes neighbouring rows regardless of their
    frames, and so joins the ends of a gap.)

    Args:
        recording: Frames of an agent may be closer than `frame_step`; then only
            multiples of it from the first frame are used.
        past_length: Observed positions, at least 1.
        future_length: Positions to predict, at least 1.
        frame_step: Frame numbers between consecutive positions.
        stride: Positions between the starts of consecutive windows, counted
            from the first frame of the scene, so that agents stay together.
        min_agents: Windows with fewer simultaneous agents are left out. 1 keeps
            all, as LB-EBM does; loaders that follow Social-GAN
            (arXiv:1803.10892) require 2.

    Raises:
        InputError: If an agent has two rows in one frame, or the frames cannot
            be thinned to `frame_step`.
    """
    for name, value in (("past_length", past_length), ("stride", stride),
                        ("future_length", future_length),
                        ("frame_step", frame_step),
                        ("min_agents", min_agents)):
        if value < 1:
            raise InputError(f"{name} must be >= 1, got {value}.")
    first_frame = recording.frame.min(initial=np.iinfo(np.int64).max)
    recording = _thinned(_ordered(recording), first_frame, frame_step)
    _, frame, agent, position = recording
    linked = (np.diff(agent) == 0) & (np.diff(frame) == frame_step)
    num_gaps = int(np.sum((np.diff(agent) == 0) & ~linked))
    # Cumulative links; a window is complete if it has all of its links.
    links = np.concatenate([[0], np.cumsum(linked)])
    length = past_length + future_length
    first = np.arange(max(0, len(frame) - length + 1))
    whole = links[first + length - 1] - links[first] == length - 1
    number = (frame[first] - first_frame) // frame_step
    first = first[whole & (number % stride == 0)]
    order = np.lexsort((agent[first], frame[first]))
    first = first[order]
    _, group, counts = np.unique(frame[first], return_inverse=True,
                                 return_counts=True)
    first = first[counts[group] >= min_agents]
    windows = position[first[:, None] + np.arange(length)]
    tracks = Tracks(
        windows[:, :past_length], windows[:, past_length:],
        np.unique(frame[first], return_inverse=True)[1].astype(np.int64),
        np.full(len(first), recording.name), frame[first])
    return Cut(tracks, agent[first], num_gaps)


def neighbour_groups(past: np.ndarray, start: np.ndarray, frame_step: int,
                     distance: float) -> np.ndarray:
    """Groups of agents that are close in time and space.

    Greedily, in the order of rows: the first agent without a group starts one,
    and every later agent without one joins if

    - it or the first starts on a frame in which the other is observed, and
    - some observed position of it is within `distance` of some observed
      position of the first, at any times.

    The rule of PECNet (HarshayuGirase/Human-Path-Prediction,
    utils/social_utils.py, time threshold 0), whose batches LB-EBM
    (arXiv:2104.03086) uses.

    Args:
        past: Observed positions in one scene, float [N, past_length, 2].
        start: Frame of the first of them, int64 [N].
        frame_step: Frame numbers between consecutive positions.
        distance: At least 0, in the unit of `past`.

    Returns:
        Group indices from 0 in the order of their first agents, int64 [N].
    """
    group = np.full(len(past), -1, np.int64)
    for first in range(len(past)):
        if group[first] >= 0:
            continue
        rest = np.flatnonzero(group < 0)
        late = start[rest] - start[first]
        # One starts on a frame of the other if their starts differ by a whole
        # number of positions that is less than past_length.
        near = (late % frame_step == 0) & (
            np.abs(late) < frame_step * past.shape[1])
        rest = rest[near]
        gap = past[rest][:, :, None] - past[first][None, None]
        close = np.sqrt(np.sum(gap**2, -1)).min((1, 2)) <= distance
        group[rest[close]] = group.max() + 1
    return group


def regrouped(tracks: Tracks, key: np.ndarray, frame_step: int,
              distance: float) -> Tracks:
    """The tracks with groups from `neighbour_groups`.

    Args:
        tracks: Windows.
        key: int [N]; only rows with equal keys can be neighbours. This is the
            scene or, if windows of an agent overlap, the scene and the start;
            otherwise agents would be neighbours of themselves.
        frame_step: Frame numbers between consecutive positions.
        distance: As in `neighbour_groups`.
    """
    group, first = np.empty(len(key), np.int64), 0
    order = np.argsort(key, kind="stable")
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    for rows in np.split(order, cuts):
        group[rows] = first + neighbour_groups(
            tracks.past[rows], tracks.start[rows], frame_step, distance)
        first = group[rows].max(initial=first - 1) + 1
    return tracks._replace(group=group)


def _ordered(recording: Recording) -> Recording:
    """Rows sorted by agent, then frame.

    Raises:
        InputError: If an agent has two rows in one frame.
    """
    name, frame, agent, position = recording
    order = np.lexsort((frame, agent))
    frame, agent = frame[order], agent[order]
    twice = (np.diff(agent) == 0) & (np.diff(frame) == 0)
    if twice.any():
        row = np.argmax(twice)
        raise InputError(
            f"an agent must have one row per frame, got {np.sum(twice)} rows "
            f"too many, the first at frame {frame[row]} of agent {agent[row]} "
            f"in {name}.")
    return Recording(name, frame, agent, position[order])


def _thinned(recording: Recording, first_frame: int, frame_step: int
             ) -> Recording:
    """Every `frame_step`-th frame of a recording that has more.

    Raises:
        InputError: If `frame_step` is not a multiple of the distance of frames.
    """
    name, frame, agent, position = recording
    steps = np.diff(frame)[np.diff(agent) == 0]
    if not len(steps):
        return recording
    values, counts = np.unique(steps, return_counts=True)
    common = int(values[np.argmax(counts)])
    if common >= frame_step:
        return recording
    if frame_step % common:
        raise InputError(
            f"frame_step must be a multiple of {common}, the distance of "
            f"frames in {name}, got {frame_step}.")
    kept = (frame - first_frame) % frame_step == 0
    return Recording(name, frame[kept], agent[kept], position[kept])
