"""How recordings become windows: lengths, units, groups, held-out time."""

import dataclasses

import numpy as np

from lebm_tf.datasets.trajectory_data import UNITS
from lebm_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class TrajectoryOptions:
    """How to read trajectories; the defaults are those of LB-EBM.

    Attributes:
        past_length: Observed positions of an agent, at least 2, so that there
            is a velocity.
        future_length: Positions to predict, at least 1.
        stride: Positions between the starts of two windows of a recording.
        min_agents: Windows with fewer agents at one time are left out.
        neighbour_distance: For `neighbour_groups`, in the unit of the data,
            at least 0. None is the data set's own: 100 px for sdd; for the
            others no limit, all agents of a window are a group.
        unit: Of a user's own file, "px" or "m"; the public sets have theirs.
        frame_step: Frame numbers from one position to the next in a user's
            own file; 0 finds the commonest one.
        frame_interval: Seconds from one position to the next in a user's own
            file.
        test_fraction: Share of the time of every scene of a user's own file,
            its end, that is held out; in (0, 1).

    Raises:
        InputError: If a value is out of its range.
    """
    past_length: int = 8
    future_length: int = 12
    stride: int = 1
    min_agents: int = 1
    neighbour_distance: float | None = None
    unit: str = ""
    frame_step: int = 0
    frame_interval: float = 0.4
    test_fraction: float = 0.2

    def __post_init__(self):
        for name, least in (("past_length", 2), ("future_length", 1),
                            ("stride", 1), ("min_agents", 1),
                            ("frame_step", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be >= {least}, got "
                                 f"{getattr(self, name)}.")
        distance = self.neighbour_distance
        if distance is not None and not distance >= 0:
            raise InputError(
                f"neighbour_distance must be >= 0, got {distance}.")
        if self.unit not in ("", *UNITS):
            raise InputError(
                f"unit must be {' or '.join(UNITS)}, got {self.unit!r}.")
        if not 0 < self.frame_interval < np.inf:
            raise InputError(f"frame_interval must be > 0 seconds, got "
                             f"{self.frame_interval}.")
        if not 0 < self.test_fraction < 1:
            raise InputError(f"test_fraction must be in (0, 1), got "
                             f"{self.test_fraction}.")
