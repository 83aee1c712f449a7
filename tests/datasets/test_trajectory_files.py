"""Tests of the readers of Stanford Drone and ETH/UCY."""

import json

import numpy as np
import pytest

from lebm_tf.configuration.data import TrajectoryOptions
from lebm_tf.datasets.trajectories.loading import load_trajectories
from lebm_tf.errors import InputError
from lebm_tf.evaluation.trajectories.baseline import constant_velocity
from lebm_tf.evaluation.trajectories.metrics import minimum_errors
from tests.datasets.trajectory_tables import FOLDS, data_dir, save_eth, save_sdd

SDD, RAW = "sdd/sdd_trajnet.npz", "eth_ucy/eth_ucy_raw.npz"
SPLITS, READY = "eth_ucy/splits.json", "eth_ucy/eth_ucy_windows.npz"


def test_stanford_drone_is_cut_in_two_and_grouped_by_scene(tmp_path):
    save_sdd(tmp_path)
    data = load_trajectories("sdd", str(tmp_path))
    assert data.past_train.shape == (3, 8, 2)
    assert data.future_train.shape == (3, 12, 2)
    np.testing.assert_array_equal(data.past_test[0, :, 0], np.arange(8))
    np.testing.assert_array_equal(data.future_test[0, :, 1], np.arange(8, 20))
    np.testing.assert_array_equal(data.group_train, [0, 0, 1])
    assert (data.unit, data.frame_step, data.frame_interval) == ("px", 12, .4)
    assert data.part("validation") is None


def test_lengths_and_distance_are_options(tmp_path):
    apart = np.arange(20.0)[:, None] + np.array([[[0, 0]], [[0, 300]],
                                                 [[0, 0]]])
    save_sdd(tmp_path, train_xy_px=apart)
    far = load_trajectories("sdd", str(tmp_path))
    np.testing.assert_array_equal(far.group_train, [0, 1, 2])
    data = load_trajectories("sdd", str(tmp_path), TrajectoryOptions(
        past_length=4, future_length=5, neighbour_distance=300.0))
    assert (data.past_length, data.future_length) == (4, 5)
    np.testing.assert_array_equal(data.future_test[0, :, 0], np.arange(4, 9))
    np.testing.assert_array_equal(data.group_train, [0, 0, 1])
    assert data.origin["trajectories"].neighbour_distance == 300.0
    with pytest.raises(InputError, match="at most 20, .* got 21"):
        load_trajectories("sdd", str(tmp_path),
                          TrajectoryOptions(past_length=9))
    with pytest.raises(InputError, match="finished windows, got 2 and 1"):
        load_trajectories("sdd", str(tmp_path), TrajectoryOptions(stride=2))


@pytest.mark.parametrize("changes, message", [
    (dict(train_scene=None), "needs the arrays .*train_scene"),
    (dict(train_xy_px=np.zeros([3, 40])),
     r"train_xy_px must have shape \[N, length, 2\], got \[3, 40\]"),
    (dict(train_xy_px=np.full([3, 20, 2], np.nan)), "finite, got 48 NaN"),
])
def test_a_wrong_drone_file_gives_one_line(tmp_path, changes, message):
    save_sdd(tmp_path, **changes)
    with pytest.raises(InputError, match=f"^sdd: .*{message}") as error:
        load_trajectories("sdd", str(tmp_path))
    assert "\n" not in str(error.value)


def test_one_scene_is_left_out_and_every_recording_cut_on_its_own(tmp_path):
    save_eth(tmp_path)
    data = load_trajectories("zara1", str(tmp_path))
    assert [len(data.part(part).past) for part in
            ("train", "validation", "test")] == [6, 1, 3]
    np.testing.assert_array_equal(data.start_test, [0, 10, 20])
    assert set(data.scene_train) == {"biwi_train"}
    assert (data.unit, data.frame_step, data.num_gaps) == ("m", 10, 0)


def test_agents_of_a_window_can_be_parted_by_their_distance(tmp_path):
    two = np.array([[10 * t, agent, t, 5 * agent] for t in range(20)
                    for agent in (0, 1)], np.float64)
    save_eth(tmp_path, zara=two)
    together = load_trajectories("zara1", str(tmp_path))
    np.testing.assert_array_equal(together.group_test, [0, 0])
    for distance, group in ((5.0, [0, 0]), (4.9, [0, 1])):
        data = load_trajectories("zara1", str(tmp_path), TrajectoryOptions(
            neighbour_distance=distance))
        np.testing.assert_array_equal(data.group_test, group)


@pytest.mark.parametrize("changes, message", [
    (dict(splits={"eth": {}}), "must hold lists of keys .* under 'zara1'"),
    (dict(splits=[]), "must hold lists of keys"),
    (dict(zara=np.zeros([3, 3])), r"zara must have shape \[rows, 4\]"),
    (dict(zara=np.full([3, 4], np.nan)), "zara must be finite, got 12 NaN"),
    (dict(zara=np.full([3, 4], 0.5)), "must be whole numbers"),
    (dict(zara=np.array([[10.0 * t, 1, 0, 0] for t in range(19)])),
     "test must have an agent with 20 positions .* got none in 1 scenes"),
])
def test_a_wrong_file_of_eth_gives_one_line(tmp_path, changes, message):
    save_eth(tmp_path, **changes)
    with pytest.raises(InputError, match=f"^zara1: .*{message}") as error:
        load_trajectories("zara1", str(tmp_path))
    assert "\n" not in str(error.value)


def test_missing_files_and_unknown_names_are_named(tmp_path):
    with pytest.raises(InputError, match="sdd: needs an .npz file, got no"):
        load_trajectories("sdd", str(tmp_path))
    with pytest.raises(InputError, match="eth: needs .*splits.json, got no"):
        load_trajectories("eth", str(tmp_path))
    with pytest.raises(InputError, match="'hotle'. Did you mean hotel.* Know"):
        load_trajectories("hotle", str(tmp_path))
    with pytest.raises(InputError, match="must be csv:FILE, got 'csv:'"):
        load_trajectories("csv:")


@pytest.mark.parametrize("changes, message", [
    (dict(past_length=1), "past_length must be >= 2, got 1"),
    (dict(stride=0), "stride must be >= 1, got 0"),
    (dict(neighbour_distance=np.nan), "neighbour_distance must be finite"),
    (dict(validation_by="agent"), "validation_by must be one of scene, time, "),
    (dict(data_scale=-1.0), "data_scale must be >= 0, got -1"),
    (dict(unit="km"), "unit must be one of px, m, got 'km'"),
    (dict(frame_interval=np.inf), "frame_interval must be finite, got inf"),
    (dict(test_fraction=1.0), r"test_fraction must lie in \(0, 1\), got 1.0"),
])
def test_options_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        TrajectoryOptions(**changes)


def test_the_real_drone_data_give_the_known_figures():
    data = load_trajectories("sdd", data_dir(SDD))
    assert len(data.past_train) == 8494 and len(data.past_test) == 2829
    assert not set(data.scene_train) & set(data.scene_test)
    errors = minimum_errors(constant_velocity(data.past_test, 12),
                            data.future_test)
    assert errors.ade.mean() == pytest.approx(19.74, abs=0.005)
    assert errors.fde.mean() == pytest.approx(40.05, abs=0.005)
    for part in ("train", "test"):
        tracks = data.part(part)
        scenes = {(group, scene) for group, scene in
                  zip(tracks.group, tracks.scene)}
        assert len(scenes) == tracks.group.max() + 1


@pytest.mark.parametrize("name, sizes, ade, fde", [
    ("eth", (364, 181), 1.08, 2.28), ("hotel", (1197, 1053), 0.32, 0.61),
    ("univ", (24334, 24334), 0.52, 1.17), ("zara1", (2356, 2253), 0.43, 0.95),
    ("zara2", (5910, 5833), 0.32, 0.72)])
def test_real_scenes_have_the_known_sizes_and_figures(name, sizes, ade, fde):
    folder = data_dir(RAW, SPLITS)
    data = load_trajectories(name, folder)
    more = load_trajectories(name, folder, TrajectoryOptions(min_agents=2))
    assert (len(data.past_test), len(more.past_test)) == sizes
    errors = minimum_errors(constant_velocity(data.past_test, 12),
                            data.future_test)
    assert errors.ade.mean() == pytest.approx(ade, abs=0.006)
    assert errors.fde.mean() == pytest.approx(fde, abs=0.006)


@pytest.mark.parametrize("name", FOLDS)
def test_our_windows_equal_the_ready_ones(name):
    folder = data_dir(RAW, SPLITS, READY)
    data = load_trajectories(name, folder)
    with open(f"{folder}/{SPLITS}", encoding="utf-8") as file:
        keys = json.load(file)[name]
    with np.load(f"{folder}/{READY}") as ready:
        for part, theirs in (("train", "train"), ("validation", "val"),
                             ("test", "test")):
            ours = data.part(part)
            xy, sizes, start = (np.concatenate([
                ready[f"{key}/{column}"] for key in keys[theirs]])
                for column in ("xy", "peds_per_window", "start_frame"))
            # Theirs are rounded to float32.
            np.testing.assert_allclose(
                np.concatenate([ours.past, ours.future], 1), xy, rtol=1e-6,
                atol=1e-7)
            np.testing.assert_array_equal(ours.start, np.repeat(start, sizes))
            np.testing.assert_array_equal(np.bincount(ours.group), sizes)
