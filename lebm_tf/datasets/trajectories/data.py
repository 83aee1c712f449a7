"""Paths of agents in memory, split into a past and a future."""

import dataclasses
from typing import Any, Mapping, NamedTuple, TypeGuard

import numpy as np

from lebm_tf import kinds
from lebm_tf.configuration.data import UNITS
from lebm_tf.datasets.contract import DataSet
from lebm_tf.datasets.reading import check_finite
from lebm_tf.datasets.trajectories.transforms import DATA_SCALES, normalised
from lebm_tf.errors import InputError

PARTS = ("train", "validation", "test")


class Tracks(NamedTuple):
    """Windows of agents, one per row; rows of a group may be in any order.

    Attributes:
        past: Observed positions, float64 [N, past_length, 2].
        future: Positions to predict, float64 [N, future_length, 2].
        group: Group index from 0, int64 [N]; rows of one group interact in
            social pooling.
        scene: Name of the recording, str [N].
        start: Frame number of the first observed position, int64 [N].
    """
    past: np.ndarray
    future: np.ndarray
    group: np.ndarray
    scene: np.ndarray
    start: np.ndarray

    def take(self, rows) -> "Tracks":
        """The rows of a mask or of indices."""
        return Tracks(*(values[rows] for values in self))


@dataclasses.dataclass(frozen=True, eq=False)
class TrajectoryData(DataSet):
    """A data set of paths of one length, with a held-out part.

    Attributes:
        name: Name as given to `load_trajectories`; starts error messages.
        past_train, future_train, group_train, scene_train, start_train:
            Training part, as the columns of `Tracks`.
        past_test, future_test, group_test, scene_test, start_test: Held-out
            part.
        unit: Unit of all positions, "px" or "m".
        frame_interval: Seconds between consecutive positions, above 0.
        frame_step: Frame numbers between consecutive positions, at least 1.
        origin: How the data were loaded; saved with a run, so that it is
            evaluated on the same data.
        num_gaps: Number of gaps in the recorded paths, which no window spans.
        data_scale: Model units per unit of position; 0 takes that of
            `DATA_SCALES`.
        time_reversed: Whether every training path is added in reverse.
        rotated: Whether training groups are rotated by random angles.
        final: The true test part, if the validation part replaces it.
        past_validation, future_validation, group_validation, scene_validation,
            start_validation: Validation part; all None if there is none.

    Raises:
        InputError: If an array has another shape or dtype, or is not finite.
    """
    name: str
    past_train: np.ndarray
    future_train: np.ndarray
    group_train: np.ndarray
    scene_train: np.ndarray
    start_train: np.ndarray
    past_test: np.ndarray
    future_test: np.ndarray
    group_test: np.ndarray
    scene_test: np.ndarray
    start_test: np.ndarray
    unit: str = dataclasses.field()
    frame_interval: float
    frame_step: int
    origin: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    num_gaps: int = 0
    data_scale: float = 0.0
    time_reversed: bool = False
    rotated: bool = False
    final: Tracks | None = None
    past_validation: np.ndarray | None = None
    future_validation: np.ndarray | None = None
    group_validation: np.ndarray | None = None
    scene_validation: np.ndarray | None = None
    start_validation: np.ndarray | None = None

    kind = kinds.TRAJECTORY

    def __post_init__(self):
        if self.unit not in UNITS:
            raise InputError(f"{self.name}: unit must be "
                             f"{' or '.join(UNITS)}, got {self.unit!r}.")
        if not (np.isfinite(self.frame_interval) and self.frame_interval > 0):
            raise InputError(f"{self.name}: frame_interval must be > 0 "
                             f"seconds, got {self.frame_interval}.")
        if self.frame_step < 1:
            raise InputError(f"{self.name}: frame_step must be >= 1, got "
                             f"{self.frame_step}.")
        for part in PARTS:
            tracks = self.part(part)
            if tracks is not None:
                _check_tracks(tracks, self.name, part)
                _check_lengths(tracks, self)

    @property
    def past_length(self) -> int:
        """Observed positions per agent."""
        return self.past_train.shape[1]

    @property
    def future_length(self) -> int:
        """Positions to predict per agent."""
        return self.future_train.shape[1]

    @property
    def scale(self) -> float:
        """Model units per unit of position."""
        return self.data_scale or DATA_SCALES[self.unit]

    @property
    def shape(self) -> tuple[int, int]:
        """(future_length, 2)."""
        return self.future_length, 2

    @property
    def x_train(self) -> np.ndarray:
        """Training futures in model units, [N, future_length, 2]."""
        return normalised(self.future_train, self.past_train, self.scale)

    @property
    def x_test(self) -> np.ndarray:
        """Held-out futures in model units."""
        return normalised(self.future_test, self.past_test, self.scale)

    @property
    def x_validation(self) -> np.ndarray | None:
        """Validation futures in model units, or None."""
        return None if self.past_validation is None else normalised(
            self.future_validation, self.past_validation, self.scale)

    @staticmethod
    def to_model(x) -> np.ndarray:
        """Futures for models, float32."""
        return np.asarray(x, np.float32)

    def describe(self) -> str:
        """Short description of the contents."""
        kept = "" if self.past_validation is None else (
            f", {len(self.past_validation):,} to validate")
        return (
            f"{len(self.past_train):,} paths in "
            f"{len(np.unique(self.group_train)):,} groups, {self.past_length} "
            f"positions observed and {self.future_length} to predict in "
            f"{self.unit}{kept}, {len(self.past_test):,} held out, "
            f"{self.num_gaps:,} gaps")

    @property
    def train(self) -> Tracks:
        """The columns of the training part."""
        return Tracks(self.past_train, self.future_train, self.group_train,
                      self.scene_train, self.start_train)

    @property
    def test(self) -> Tracks:
        """The columns of the held-out part."""
        return Tracks(self.past_test, self.future_test, self.group_test,
                      self.scene_test, self.start_test)

    def part(self, name: str) -> Tracks | None:
        """The columns of "train", "validation" or "test"; None if absent.

        Raises:
            InputError: If the name is unknown, or only some columns are None.
        """
        if name not in PARTS:
            raise InputError(f"{self.name}: part must be one of "
                             f"{', '.join(PARTS)}, got {name!r}.")
        columns = {column: vars(self)[f"{column}_{name}"]
                   for column in Tracks._fields}
        missing = [column for column in columns if columns[column] is None]
        if len(missing) == len(columns):
            return None
        if missing:
            raise InputError(
                f"{self.name}: {name} must have all of "
                f"{', '.join(columns)}, got no {', '.join(missing)}.")
        return Tracks(**columns)


def is_trajectories(data: DataSet) -> TypeGuard[TrajectoryData]:
    """Whether a data set holds paths of agents."""
    return data.kind == kinds.TRAJECTORY


def from_tracks(name: str, train: Tracks, test: Tracks,
                validation: Tracks | None = None, **fields) -> TrajectoryData:
    """Builds a data set from its parts; `fields` are the other fields of
    `TrajectoryData`."""
    parts = {"train": train, "test": test, "validation": validation}
    return TrajectoryData(name, **fields, **columns_of(parts))


def replace_tracks(data: TrajectoryData, *, origin: Mapping[str, Any],
                   **parts: Tracks | None) -> TrajectoryData:
    """Returns the data set with other parts (train=..., ...) and origin."""
    return dataclasses.replace(data, origin=origin, **columns_of(parts))


def columns_of(parts: Mapping[str, Tracks | None]) -> dict[str, Any]:
    """Converts {"train": Tracks} to {"past_train": ..., ...}."""
    return {f"{column}_{part}":
            None if tracks is None else getattr(tracks, column)
            for part, tracks in parts.items() for column in Tracks._fields}


def concatenate(parts: list[Tracks]) -> Tracks:
    """Concatenates parts; their groups stay separate."""
    groups, first = [], 0
    for part in parts:
        groups.append(part.group + first)
        first += int(part.group.max(initial=-1)) + 1
    columns = [np.concatenate(values) for values in zip(*parts)]
    return Tracks(*columns)._replace(group=np.concatenate(groups))


def _check_tracks(tracks: Tracks, name: str, part: str) -> None:
    """Raises InputError unless the columns fit `Tracks`."""
    num_rows = len(tracks.past)
    for column, values in (("past", tracks.past), ("future", tracks.future)):
        what = f"{name}: {column}_{part}"
        if values.dtype != np.float64:
            raise InputError(f"{what} must be float64, got {values.dtype}.")
        if values.ndim != 3 or values.shape[-1] != 2 or not values.shape[1]:
            raise InputError(f"{what} must have shape [N, length, 2], got "
                             f"{list(values.shape)}.")
        if not len(values):
            raise InputError(f"{what} must hold at least one agent, got none.")
        check_finite(values, what)
    for column, values in tracks._asdict().items():
        if len(values) != num_rows or column not in ("past", "future") and (
                values.ndim != 1):
            raise InputError(
                f"{name}: {column}_{part} must have {num_rows} rows, one per "
                f"agent, got shape {list(values.shape)}.")
    for column, values in (("group", tracks.group), ("start", tracks.start)):
        if values.dtype != np.int64:
            raise InputError(f"{name}: {column}_{part} must be int64, got "
                             f"{values.dtype}.")
    if tracks.group.min() < 0:
        raise InputError(f"{name}: group_{part} must hold numbers from 0, got "
                         f"{tracks.group.min()}.")


def _check_lengths(tracks: Tracks, data: TrajectoryData) -> None:
    lengths = tracks.past.shape[1], tracks.future.shape[1]
    if lengths != (data.past_length, data.future_length):
        raise InputError(
            f"{data.name}: all parts must have {data.past_length} observed "
            f"and {data.future_length} future positions, as in train, got "
            f"{lengths[0]} and {lengths[1]}.")
