"""Transformations of positions to model units and back.

As in LB-EBM (arXiv:2104.03086; bpucla/lbebm, lbebm_sdd.py, lbebm_eth.py).
`normalised` and `in_scene` accept arrays and tensors.
"""

import math
from typing import Any

import numpy as np

# Model units per px of Stanford Drone, and per m of ETH/UCY.
DATA_SCALES = {"px": 1.86, "m": 60.0}

# The plan: the future at every third of its twelve positions.
PLAN_STEPS = (2, 5, 8, 11)


def normalised(positions, past, scale: float):
    """Positions relative to the last observed one, in model units.

    Args:
        positions: float [N, ..., length, 2], such as `past` itself or a future.
        past: float [N, past_length, 2].
        scale: Model units per unit of position.

    Returns:
        (positions - past[:, -1]) * scale, with the shape of `positions`.
    """
    return (positions - _origin(positions, past)) * scale


def in_scene(positions, past, scale: float):
    """The inverse of `normalised`: positions in the unit of the data."""
    return positions / scale + _origin(positions, past)


def reversed_in_time(past: np.ndarray, future: np.ndarray
                     ) -> tuple[np.ndarray, np.ndarray]:
    """The reversed paths, split at the same length.

    LB-EBM trains on every path of Stanford Drone and its reverse.

    Args:
        past: [N, past_length, 2].
        future: [N, future_length, 2].

    Returns:
        Past and future of the reversed paths, in the same unit and place.
    """
    path = np.concatenate([past, future], axis=1)[:, ::-1]
    return path[:, :past.shape[1]], path[:, past.shape[1]:]


def rotated(positions: np.ndarray, angle: float) -> np.ndarray:
    """Positions rotated about the origin by `angle` radians.

    From the first axis to the second: anticlockwise in metres; clockwise on a
    screen, where y points down. The loader of LB-EBM has this as an option, at
    45 and 90 degrees in both directions; no published setting uses it.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    return positions @ np.array([[cosine, sine], [-sine, cosine]])


def plan(future: Any, steps: tuple[int, ...] = PLAN_STEPS):
    """The way-points of a future, [..., len(steps), 2].

    Args:
        future: Array [..., future_length, 2].
        steps: Positions counted from 0; the last is the end of the plan.

    Raises:
        ValueError: If a step is not in the future.
    """
    length = future.shape[-2]
    if not steps or not all(0 <= step < length for step in steps):
        raise ValueError(f"plan steps must be from 0 to {length - 1}, got "
                         f"{list(steps)}.")
    return future[..., list(steps), :]


def social_mask(group: np.ndarray) -> np.ndarray:
    """1 if two agents are in one group, else 0: float64 [N, N]."""
    return (group[:, None] == group[None]).astype(np.float64)


def _origin(positions, past):
    """The last observed positions, shaped for broadcasting: [N, 1, ..., 2]."""
    last = past[:, -1]
    return last[(slice(None), *[None] * (len(positions.shape) - 2))]
