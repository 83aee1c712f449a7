"""Tests of windows cut from recordings, and of groups of neighbours."""

from hypothesis import given, strategies as st
import numpy as np
import pytest

from lebm_tf.datasets.trajectories.windows import (
    cut_windows, most_common_step, neighbour_groups, regrouped)
from lebm_tf.errors import InputError
from tests.datasets.trajectory_tables import recording, tracks, walk


def cut(*rows, past=2, future=1, step=10, **options):
    return cut_windows(recording(*rows), past, future, step, **options)


def test_all_windows_of_a_path_in_order_of_start_then_agent():
    windows = cut(*walk(7, range(0, 50, 10)), *walk(3, range(10, 40, 10), 2))
    starts, agents = windows.tracks.start, windows.agent
    np.testing.assert_array_equal(starts, [0, 10, 10, 20])
    np.testing.assert_array_equal(agents, [7, 3, 7, 7])
    np.testing.assert_array_equal(windows.tracks.group, [0, 1, 1, 2])
    np.testing.assert_array_equal(
        windows.tracks.past[1], [[20, -20], [40, -40]])
    np.testing.assert_array_equal(windows.tracks.future[1], [[60, -60]])
    assert windows.num_gaps == 0
    assert set(windows.tracks.scene) == {"square"}


def test_no_window_spans_a_gap_and_gaps_are_counted():
    rows = walk(1, [0, 10, 20, 50, 60, 70, 80]) + walk(2, [0, 10, 30, 40])
    windows = cut(*rows)
    np.testing.assert_array_equal(windows.tracks.start, [0, 50, 60])
    assert windows.num_gaps == 2


@given(kept=st.lists(st.booleans(), min_size=1, max_size=30),
       length=st.integers(2, 5))
def test_windows_are_those_whose_every_frame_is_there(kept, length):
    frames = [10 * i for i, keep in enumerate(kept) if keep] or [0]
    windows = cut(*walk(1, frames), future=length - 1, past=1)
    there = set(frames)
    expected = [start for start in frames
                if all(start + 10 * i in there for i in range(length))]
    np.testing.assert_array_equal(windows.tracks.start, expected)
    assert windows.num_gaps == np.sum(np.diff(frames) != 10)


def test_the_order_of_rows_does_not_matter():
    rows = walk(1, range(0, 60, 10)) + walk(2, range(20, 80, 10), 3)
    one, other = cut(*rows), cut(*rows[::-1])
    for a, b in zip(one.tracks, other.tracks):
        np.testing.assert_array_equal(a, b)


def test_stride_counts_from_the_first_frame_of_the_scene():
    rows = walk(1, range(0, 80, 10)) + walk(2, range(10, 80, 10))
    windows = cut(*rows, stride=2)
    np.testing.assert_array_equal(windows.tracks.start, [0, 20, 20, 40, 40])


def test_windows_with_few_agents_are_left_out_on_demand():
    rows = walk(1, range(0, 50, 10)) + walk(2, range(10, 40, 10))
    windows = cut(*rows, min_agents=2)
    np.testing.assert_array_equal(windows.agent, [1, 2])
    np.testing.assert_array_equal(windows.tracks.group, [0, 0])


def test_a_finer_recording_is_thinned_to_the_step():
    windows = cut(*walk(1, range(5, 65, 2)), *walk(2, range(6, 66, 2)))
    np.testing.assert_array_equal(windows.tracks.start, [5, 15, 25, 35])
    np.testing.assert_array_equal(windows.agent, [1] * 4)
    np.testing.assert_array_equal(windows.tracks.past[0, :, 0], [5, 15])
    with pytest.raises(InputError, match="multiple of 3, .* square, got 10"):
        cut(*walk(1, range(0, 60, 3)))


def test_the_commonest_step_is_found_over_all_agents():
    some = recording(*walk(1, [0, 10, 20, 50]), *walk(2, [3, 13]))
    assert most_common_step([some]) == 10
    with pytest.raises(InputError, match="no agent has two rows"):
        most_common_step([recording((0, 1, 0.0), (1, 2, 0.0))])


def test_two_rows_of_an_agent_in_a_frame_are_refused():
    with pytest.raises(InputError, match="got 1 rows too many, the first at "
                                         "frame 20 of agent 4 in square"):
        cut(*walk(4, [0, 10, 20, 20]))


@pytest.mark.parametrize("name", ["past", "future", "step", "stride",
                                  "min_agents"])
def test_counts_below_one_are_refused(name):
    with pytest.raises(InputError, match=f"{name}.* must be >= 1, got 0"):
        cut(*walk(1, [0, 10]), **{name: 0})


def at(*places):
    """Agents who stand still, [N, 3, 2]."""
    return np.repeat(np.array(places, np.float64)[:, None], 3, axis=1)


def test_agents_join_the_first_one_near_in_space():
    past = at((0, 0), (300, 0), (100, 0), (201, 0))
    start = np.zeros(4, np.int64)
    # The last is near to the third, but the third is in a group by then.
    np.testing.assert_array_equal(
        neighbour_groups(past, start, 12, 100.0), [0, 1, 0, 1])
    np.testing.assert_array_equal(
        neighbour_groups(past, start, 12, 99.0), [0, 1, 2, 1])


def test_the_nearest_positions_count_at_whatever_times():
    past = np.array([[[0, 0], [9, 0], [18, 0]], [[18, 1], [27, 1], [36, 1]]])
    start = np.zeros(2, np.int64)
    np.testing.assert_array_equal(
        neighbour_groups(past, start, 12, 1.0), [0, 0])


@pytest.mark.parametrize("late, joins", [
    (0, True), (12, True), (24, True), (36, False), (-24, True), (-36, False),
    (6, False), (-18, False)])
def test_one_must_start_on_a_frame_of_the_other(late, joins):
    start = np.array([100, 100 + late])
    group = neighbour_groups(at((0, 0), (0, 0)), start, 12, 100.0)
    assert (group[1] == group[0]) == joins


def test_only_rows_of_one_key_are_neighbours():
    rows = tracks(4)._replace(start=np.zeros(4, np.int64))
    group = regrouped(rows, np.array([5, 2, 5, 2]), 12, 100.0).group
    np.testing.assert_array_equal(group, [1, 0, 1, 0])
