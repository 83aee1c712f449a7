"""Frame rates of recordings, and plausibility of speeds."""

import math

from absl import logging
import numpy as np

from lebm_tf.datasets.trajectories.windows import Recording, most_common_step
from lebm_tf.errors import InputError

_FEWEST = 3  # Minimum number of rows of an agent to define a rate.
_WALK = 1.4  # Metres per second.
_FASTEST, _SLOWEST = 15.0, 0.02


def in_common_frames(scenes: list[Recording]) -> tuple[list[Recording], int]:
    """Rescales the frames of recordings to one common step, and returns both.

    If scenes were filmed at different rates, their frames are multiplied so
    that consecutive positions are one step apart in each; the steps are logged.

    Raises:
        InputError: If no agent has two rows, or agents of one scene have
            different rates.
    """
    steps = {}
    for scene in scenes:
        if np.unique(scene.agent).size < len(scene.agent):
            steps[scene.name] = most_common_step([scene])
            _check_one_rate(scene, steps[scene.name])
    if not steps:
        return scenes, most_common_step(scenes)  # Raises InputError.
    if len(set(steps.values())) > 1:
        logging.warning(
            "Scenes differ in the frames from one position to the next: %s.",
            ", ".join(f"{name} has {step}" for name, step in steps.items()))
    common = math.lcm(*steps.values())
    return [scene._replace(frame=scene.frame * (
        common // steps.get(scene.name, common))) for scene in scenes], common


def doubt_unit(step_lengths: np.ndarray, frame_interval: float, what: str
               ) -> None:
    """Warns if positions are probably not in metres.

    Args:
        step_lengths: Distances between consecutive positions, [steps].
        frame_interval: Seconds per step.
        what: Name of the data, which starts the warning.
    """
    median, fast = np.quantile(step_lengths, [0.5, 0.95]) / frame_interval
    if median > _FASTEST or 0 < fast < _SLOWEST:
        logging.warning(
            "%s: half of all steps are faster than %.3g m/s and 5%% are faster "
            "than %.3g m/s, while people walk at %.1f m/s. Are positions in "
            "metres (not mm, km or pixels), and are consecutive positions %g s "
            "apart?", what, median, fast, _WALK, frame_interval)


def _check_one_rate(scene: Recording, step: int) -> None:
    """Refuses a scene with agents whose rows are not a multiple of `step`
    apart."""
    order = np.lexsort((scene.frame, scene.agent))
    agent, frame = scene.agent[order], scene.frame[order]
    for rows in np.split(frame, np.flatnonzero(np.diff(agent)) + 1):
        if len(rows) < _FEWEST:
            continue
        values, counts = np.unique(np.diff(rows), return_counts=True)
        own = int(values[np.argmax(counts)])
        if own % step:
            raise InputError(
                f"agents of the scene {scene.name!r} must have rows at one "
                f"rate, got one every {own} frames for an agent that starts at "
                f"frame {rows[0]}, and every {step} frames for most; convert "
                "them to one rate, or split them into two scenes.")
