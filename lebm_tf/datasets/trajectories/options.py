"""How recordings become windows: lengths, units, groups, held-out time."""

import dataclasses
from typing import Annotated

from lebm_tf.datasets.trajectories.data import UNITS
from lebm_tf.ranges import (
    Checked, Ge, Interval, NonNegativeFloat, NonNegativeInt, OneOf,
    PositiveFloat, PositiveInt)


@dataclasses.dataclass(frozen=True)
class TrajectoryOptions(Checked):
    """How to read trajectories; the defaults are those of LB-EBM.

    Attributes:
        past_length: Observed positions of an agent; two make a velocity.
        future_length: Positions to predict.
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
            its end, that is held out.
        validation_by: What validation_fraction takes out of the training
            data: scene, whole ones, or time, a stretch of each.
        data_scale: Units of the model for one of positions; 0 takes 1.86 for
            px and 60 for m, as LB-EBM does.
        time_reversed: Whether every training path is also walked backwards.
        rotated: Whether training groups are turned by random angles.

    """
    past_length: Annotated[int, Ge(2)] = 8
    future_length: PositiveInt = 12
    stride: PositiveInt = 1
    min_agents: PositiveInt = 1
    neighbour_distance: float = -1.0
    unit: Annotated[str, OneOf(("", *UNITS))] = ""
    frame_step: NonNegativeInt = 0
    frame_interval: PositiveFloat = 0.4
    test_fraction: Annotated[float, Interval(gt=0, lt=1)] = 0.2
    validation_by: Annotated[str, OneOf(("scene", "time"))] = "scene"
    data_scale: NonNegativeFloat = 0.0
    time_reversed: bool = False
    rotated: bool = False
