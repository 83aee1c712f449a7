"""Tests of `TrajectoryData`: what it holds and what it refuses."""

import dataclasses

import numpy as np
import pytest

from lebm_tf.datasets.trajectories.data import (
    concatenate, from_tracks, replace_tracks)
from lebm_tf.errors import InputError
from tests.datasets.trajectory_tables import tracks


def data(**fields):
    return from_tracks("toy", tracks(4), tracks(2), **{
        "unit": "m", "frame_interval": 0.4, "frame_step": 10} | fields)


def test_lengths_come_from_the_arrays_and_parts_are_columns():
    some = data(validation=tracks(3))
    assert (some.past_length, some.future_length) == (3, 2)
    assert some.part("validation").past is some.past_validation
    np.testing.assert_array_equal(some.part("train").start, some.start_train)
    assert data().part("validation") is None


def test_parts_are_replaced_and_the_rest_is_kept():
    some = replace_tracks(data(), train=tracks(1), origin={"seed": 3})
    assert len(some.past_train) == 1 and len(some.past_test) == 2
    assert some.origin == {"seed": 3} and some.unit == "m"


def test_groups_of_concatenated_parts_stay_apart():
    one = tracks(3)._replace(group=np.array([1, 0, 1]))
    empty = tracks(3).take(slice(0))
    joined = concatenate([one, empty, tracks(2)])
    np.testing.assert_array_equal(joined.group, [1, 0, 1, 2, 3])
    assert joined.past.shape == (5, 3, 2)


POSITIONS = np.zeros([4, 3, 2])


@pytest.mark.parametrize("changes, message", [
    (dict(unit="feet"), "unit must be px or m, got 'feet'"),
    (dict(frame_interval=0.0), "frame_interval must be > 0 seconds, got 0"),
    (dict(frame_interval=np.nan), "frame_interval must be > 0 .*, got nan"),
    (dict(frame_step=0), "frame_step must be >= 1, got 0"),
    (dict(past_train=POSITIONS.astype("f4")),
     "past_train must be float64, got float32"),
    (dict(past_train=POSITIONS[..., :1]),
     r"past_train must have shape \[N, length, 2\], got \[4, 3, 1\]"),
    (dict(past_train=POSITIONS[:0]), "past_train must hold at least one"),
    (dict(past_train=POSITIONS[:, :0]), r"\[N, length, 2\], got \[4, 0, 2\]"),
    (dict(future_train=POSITIONS[:3]),
     r"future_train must have 4 rows, .* got shape \[3, 3, 2\]"),
    (dict(group_train=np.arange(3)), r"group_train must have 4 rows, .* \[3"),
    (dict(group_train=np.arange(4.0)), "group_train must be int64, got float"),
    (dict(group_train=np.arange(4) - 1), "group_train .* from 0, got -1"),
    (dict(scene_test=np.array([["a"], ["b"]])), r"scene_test .* \[2, 1\]"),
    (dict(start_test=np.arange(2, dtype="i4")), "start_test must be int64"),
    (dict(start_test=None), "test must have all of .*, got no start"),
    (dict(past_test=np.zeros([2, 4, 2])),
     "3 observed and 2 future positions, as in train, got 4 and 2"),
])
def test_a_wrong_array_is_named_with_what_came(changes, message):
    with pytest.raises(InputError, match=f"^toy: .*{message}") as error:
        dataclasses.replace(data(), **changes)
    assert "\n" not in str(error.value)


def test_non_finite_positions_are_counted_and_located():
    future = np.zeros([4, 2, 2])
    future[1, 0, 1], future[3, 1, 0] = np.nan, np.inf
    with pytest.raises(InputError, match=r"future_train must be finite, got 2 "
                                         r".* of 16 values, first at \[1, 0,"):
        dataclasses.replace(data(), future_train=future)


def test_an_unknown_part_lists_the_known_ones():
    with pytest.raises(InputError, match="train, validation, test, got 'val'"):
        data().part("val")
