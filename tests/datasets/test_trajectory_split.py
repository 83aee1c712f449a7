"""Tests of the validation part of trajectories."""

import numpy as np
import pytest

from lebm_tf.datasets.trajectories.data import concatenate, from_tracks
from lebm_tf.datasets.trajectories.loading import load_trajectories
from lebm_tf.datasets.trajectories.split import (
    trajectory_split, trajectory_validation_view)
from lebm_tf.errors import InputError
from tests.datasets.trajectory_tables import data_dir, tracks

SIZES = {"a": 10, "b": 20, "c": 30, "d": 40}


def data(sizes=SIZES, **parts):
    train = concatenate([tracks(size, scene) for scene, size in
                         sizes.items()])
    return from_tracks("toy", train, tracks(5, "t"), **parts, unit="m",
                       frame_interval=0.4, frame_step=1)


def rows(part):
    return list(zip(part.scene, part.start))


def test_whole_scenes_are_taken_and_nothing_is_lost():
    some = data()
    split = trajectory_split(some, 0.3, seed=0)
    train, held = split.part("train"), split.part("validation")
    assert not set(train.scene) & set(held.scene)
    assert sorted(rows(train) + rows(held)) == sorted(rows(some.part("train")))
    for part in (train, held):
        np.testing.assert_array_equal(part.group, np.arange(len(part.group)))
    assert split.past_test is some.past_test
    assert split.origin == {"validation_fraction": 0.3}


@pytest.mark.parametrize("by", ["scene", "time"])
def test_the_seed_alone_decides(by):
    def held(seed):
        return rows(trajectory_split(data(), 0.3, seed, by).part("validation"))

    assert held(3) == held(3)
    assert len({tuple(held(seed)) for seed in range(8)}) > 2


def test_the_number_of_scenes_comes_nearest_to_the_fraction():
    equal = {name: 10 for name in "abcdefgh"}
    for fraction, scenes in ((0.25, 2), (0.01, 1), (0.49, 4), (0.99, 7)):
        split = trajectory_split(data(equal), fraction, seed=1)
        assert len(split.past_validation) == 10 * scenes


def test_a_stretch_of_time_shares_no_frame_with_training():
    split = trajectory_split(data(), 0.4, seed=2, by="time")
    train, held = split.part("train"), split.part("validation")
    span = 4  # Frames from the first to the last of 5 positions.
    for scene in SIZES:
        ours = held.start[held.scene == scene]
        others = train.start[train.scene == scene]
        if len(ours):
            assert not ((others + span >= ours.min())
                        & (others <= ours.max() + span)).any()
            np.testing.assert_array_equal(np.diff(ours), 1)
    # Of d, 43 frames long, 17 are a stretch: 13 or 14 windows of 5.
    assert np.sum(held.scene == "d") in (13, 14)


def test_the_validation_part_takes_the_place_of_the_test_part():
    split = trajectory_split(data(), 0.3, seed=0)
    view = trajectory_validation_view(split)
    assert view.past_test is split.past_validation
    assert view.part("validation") is None and view.origin == split.origin
    with pytest.raises(InputError, match="toy: evaluate_every must be 0 with"):
        trajectory_validation_view(view)


@pytest.mark.parametrize("arguments, message", [
    (dict(fraction=0.0), r"must be in \(0, 1\), got 0.0"),
    (dict(fraction=np.nan), r"must be in \(0, 1\), got nan"),
    (dict(by="row"), "by must be scene or time, got 'row'"),
    (dict(fraction=0.01, by="time"), "windows in both parts of the 100"),
])
def test_wrong_splits_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        trajectory_split(data(), **{"fraction": 0.3, "seed": 0} | arguments)


def test_one_scene_or_a_second_split_is_refused():
    with pytest.raises(InputError, match="at least two scenes .* got 1"):
        trajectory_split(data({"a": 9}), 0.3, seed=0)
    with pytest.raises(InputError, match="toy has a validation part already"):
        trajectory_split(data(validation=tracks(2, "v")), 0.3, seed=0)


def test_the_real_drone_scenes_are_parted():
    data_dir_name = data_dir("sdd/sdd_trajnet.npz")
    split = trajectory_split(load_trajectories("sdd", data_dir_name), 0.1, 0)
    num_held = len(split.past_validation)
    assert num_held + len(split.past_train) == 8494
    assert abs(num_held - 849) < 805  # The largest scene has 805.
    assert not set(split.scene_validation) & (
        set(split.scene_train) | set(split.scene_test))
