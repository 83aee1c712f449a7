"""How recordings become windows: lengths, units, groups, held-out time."""

import dataclasses

import numpy as np

from lebm_tf.datasets.trajectories.data import UNITS
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
        neighbour_distance: For `neighbour_groups`, in the unit of the data.
            Below 0 the data set's own: 100 px for sdd; for the others no
            limit, all agents of a window are a group.
        unit: Of a user's own file, "px" or "m"; the public sets have theirs.
        frame_step: Frame numbers from one position to the next in a user's
            own file; 0 finds the commonest one.
        frame_interval: Seconds from one position to the next in a user's own
            file.
        test_fraction: Share of the time of every scene of a user's own file,
            its end, that is held out; in (0, 1).
        validation_by: What validation_fraction takes out of the training
            data: scene, whole ones, or time, a stretch of each.
        data_scale: Units of the model for one of positions, at least 0; 0
            takes 1.86 for px and 60 for m, as LB-EBM does.
        time_reversed: Whether every training path is also walked backwards.
        rotated: Whether training groups are turned by random angles.

    Raises:
        InputError: If a value is out of its range.
    """
    past_length: int = 8
    future_length: int = 12
    stride: int = 1
    min_agents: int = 1
    neighbour_distance: float = -1.0
    unit: str = ""
    frame_step: int = 0
    frame_interval: float = 0.4
    test_fraction: float = 0.2
    validation_by: str = "scene"
    data_scale: float = 0.0
    time_reversed: bool = False
    rotated: bool = False

    def __post_init__(self):
        for name, least in (("past_length", 2), ("future_length", 1),
                            ("stride", 1), ("min_agents", 1),
                            ("frame_step", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be >= {least}, got "
                                 f"{getattr(self, name)}.")
        if not np.isfinite(self.neighbour_distance):
            raise InputError("neighbour_distance must be finite, got "
                             f"{self.neighbour_distance}.")
        if self.validation_by not in ("scene", "time"):
            raise InputError("validation_by must be scene or time, got "
                             f"{self.validation_by!r}.")
        if not 0 <= self.data_scale < np.inf:
            raise InputError(
                f"data_scale must be >= 0, got {self.data_scale}.")
        if self.unit not in ("", *UNITS):
            raise InputError(
                f"unit must be {' or '.join(UNITS)}, got {self.unit!r}.")
        if not 0 < self.frame_interval < np.inf:
            raise InputError(f"frame_interval must be > 0 seconds, got "
                             f"{self.frame_interval}.")
        if not 0 < self.test_fraction < 1:
            raise InputError(f"test_fraction must be in (0, 1), got "
                             f"{self.test_fraction}.")
