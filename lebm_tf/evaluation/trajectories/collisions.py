"""Collision rates of predicted paths, which need no ground truth."""

import math

import numpy as np

from lebm_tf.evaluation.trajectories import metrics

_PAIRS = 500  # Approximate number of pairs that are compared at once.


def collisions(predictions, group, distance: float, start=None,
               frame_step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Finds predicted paths that collide with those of companions.

    Path k of an agent is compared with path k of every other agent of its
    group, at equal times. Between positions, paths are straight lines at
    constant speed, and their smallest distance is computed exactly, in closed
    form.

    Args:
        predictions: float [N, K, future_length, 2]; use `future[:, None]` for
            true futures.
        group: Integers [N]; only agents with equal numbers can collide.
        distance: Distance below which agents collide, in the unit of the data.
        start: Frame of each agent's first observed position, int64 [N], if
            agents of a group do not all start together; else None.
        frame_step: Frames between two positions.

    Returns:
        bool [N, K], whether a path collides; and bool [N], whether an agent has
        a companion for at least two consecutive positions.

    Raises:
        ValueError: If a shape is wrong, or starts in a group do not differ by
            multiples of `frame_step`.
    """
    predictions = np.asarray(predictions, np.float64)
    metrics.check_predictions(predictions)
    metrics.check_distance(distance)
    group = np.asarray(group)
    start = np.zeros(len(group), int) if start is None else np.asarray(start)
    if not len(predictions) == len(group) == len(start):
        raise ValueError(
            f"group and start must have {len(predictions)} rows as "
            f"predictions, got {len(group)} and {len(start)}.")
    hit = np.zeros(predictions.shape[:2], bool)
    accompanied = np.zeros(len(group), bool)
    length = predictions.shape[2]
    for first, second in _pairs(group):
        late, rest = np.divmod(start[second] - start[first], frame_step)
        if rest.any():
            raise ValueError(
                f"agents of a group must start a multiple of {frame_step} "
                f"frames apart, got {start[first][rest > 0][0]} and "
                f"{start[second][rest > 0][0]}.")
        for shift in np.unique(late[np.abs(late) < length - 1]):
            a, b = first[late == shift], second[late == shift]
            begin, end = max(0, shift), min(length, length + shift)
            near = _nearest(predictions[a, :, begin:end]
                            - predictions[b, :, begin - shift:end - shift])
            # Several pairs may hold the same agent.
            for agents in (a, b):
                np.logical_or.at(hit, agents, near < distance)
                accompanied[agents] = True
    return hit, accompanied


def collision_rate(predictions, group, distance: float, start=None,
                   frame_step: int = 1) -> float:
    """Share of colliding paths among agents with companions.

    TrajNet++ (arXiv:2007.03639) and EigenTrajectory use 0.2 m, two people of
    radius 0.1 m, but check only a few moments between positions; here the
    smallest distance is exact. Arguments as in `collisions`.

    Returns:
        A value from 0 to 1; nan if no agent has a companion.
    """
    hit, accompanied = collisions(predictions, group, distance, start,
                                  frame_step)
    return float(hit[accompanied].mean()) if accompanied.any() else math.nan


def _pairs(group):
    """Index pairs (first, second) of agents of a group, by group size."""
    order = np.argsort(group, kind="stable")
    _, counts = np.unique(group, return_counts=True)
    first = np.cumsum(counts) - counts
    for size in np.unique(counts[counts > 1]):
        i, j = np.triu_indices(size, 1)
        begin = first[counts == size][:, None]
        num_pieces = min(begin.size, 1 + begin.size * i.size // _PAIRS)
        for piece in np.array_split(begin, num_pieces):
            yield order[(piece + i).ravel()], order[(piece + j).ravel()]


def _nearest(gap) -> np.ndarray:
    """Smallest distance along straight segments, [pairs, K].

    Args:
        gap: Difference of two paths, [pairs, K, length, 2].
    """
    begin, move = gap[:, :, :-1], np.diff(gap, axis=2)
    square = np.sum(move**2, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        when = -np.sum(begin * move, -1) / square
    when = np.clip(np.where(square > 0, when, 0.0), 0.0, 1.0)
    return np.linalg.norm(begin + when[..., None] * move, axis=-1).min(2)
