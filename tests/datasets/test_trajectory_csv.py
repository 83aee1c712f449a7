"""Tests of a user's own table of trajectories."""

import numpy as np
import pytest

from lebm_tf.configuration.data import TrajectoryOptions
from lebm_tf.datasets.trajectories.csv import is_trajectory_table
from lebm_tf.datasets.trajectories.loading import load_trajectories
from lebm_tf.errors import InputError

OPTIONS = TrajectoryOptions(past_length=3, future_length=2, unit="m",
                            test_fraction=0.5)
HEADER = "frame,agent,x,y\n"


@pytest.fixture
def load(tmp_path):
    """Writes a table, loads it."""
    def load_text(text, options=OPTIONS, encoding="utf-8"):
        path = tmp_path / "mine.csv"
        path.write_bytes(text.encode(encoding))
        return load_trajectories(f"csv:{path}", options=options)
    return load_text


def rows(agent, frames, end=""):
    return "".join(f"{t},{agent},{t / 10},{-t / 10}{end}\n" for t in frames)


def test_the_end_of_the_time_is_the_test_part(load):
    data = load(HEADER + rows("anna", range(0, 120, 10)))
    # 0 to 110: the border is 55, and no window reaches over it.
    np.testing.assert_array_equal(data.start_train, [0, 10])
    np.testing.assert_array_equal(data.start_test, [60, 70])
    np.testing.assert_array_equal(
        data.past_train[1], [[1, -1], [2, -2], [3, -3]])
    np.testing.assert_array_equal(data.future_train[1], [[4, -4], [5, -5]])
    assert (data.unit, data.frame_step, data.frame_interval) == ("m", 10, 0.4)
    assert data.name.startswith("csv:")
    assert data.origin["trajectories"].unit == "m"


def test_columns_come_in_any_order_with_others_and_scenes(load):
    text = "\ufeffnote, y,x,agent,scene,frame\n" + "".join(
        f"b,{t},{2 * t},{agent},{scene},{t}.0\n"
        for scene in ("inn", "out") for t in range(10) for agent in (1, 2))
    data = load(text)
    assert data.frame_step == 1
    assert sorted(set(data.scene_train)) == ["inn", "out"]
    # 2 scenes, 5 frames in each half, 1 start, 2 agents of one group.
    np.testing.assert_array_equal(data.group_train, [0, 0, 1, 1])
    np.testing.assert_array_equal(data.past_train[0, :, 0], [0, 2, 4])


def test_gaps_are_honoured_and_counted(load):
    data = load(HEADER + rows(1, [0, 1, 2, 3, 5, 6, 7, 8, 9]
                              + list(range(20, 26))), TrajectoryOptions(
        past_length=2, future_length=1, unit="px", test_fraction=0.3))
    np.testing.assert_array_equal(data.start_train, [0, 1, 5, 6, 7])
    np.testing.assert_array_equal(data.start_test, [20, 21, 22, 23])
    assert data.num_gaps == 1  # The other is the border of the parts.


def test_a_part_column_says_what_is_tested(load):
    text = "frame,agent,x,y,part\n" + "".join(
        rows(agent, range(6), f",{part}")
        for agent, part in ((1, "test"), (2, "train"), (3, "validation")))
    data = load(text)
    assert [len(data.part(part).past) for part in
            ("train", "validation", "test")] == [2, 2, 2]


def test_a_given_step_thins_finer_frames(load):
    data = load(HEADER + rows(1, range(0, 40)), TrajectoryOptions(
        past_length=2, future_length=1, unit="px", frame_step=5,
        test_fraction=0.5))
    np.testing.assert_array_equal(data.start_train, [0, 5])
    assert data.frame_step == 5


def test_scenes_of_other_rates_are_all_read(load, caplog):
    data = load("frame,agent,x,y,scene\n" + rows(
        1, range(0, 120, 10), ",inn") + rows(1, range(0, 144, 12), ",out"))
    assert sorted(set(data.scene_train)) == ["inn", "out"]
    assert len(data.past_train) == 4 and data.num_gaps == 0
    assert "inn has 10, out has 12" in caplog.text


def test_scenes_without_a_window_are_named(load, caplog):
    data = load("frame,agent,x,y,scene\n" + rows(
        1, range(20), ",inn") + rows(1, [0, 1], ",out") + "0,1,0,0,one\n")
    assert set(data.scene_train) == {"inn"}
    assert "2 of 3 scenes have no agent" in caplog.text
    assert "'out', 'one'" in caplog.text


def test_agents_that_are_numbers_are_compared_as_numbers(load):
    data = load(HEADER + rows(1, range(10)) + rows("1.0", range(10, 20)))
    np.testing.assert_array_equal(data.start_train, range(6))
    named = load(HEADER + rows("a", range(20)) + rows("1", range(20))
                 + rows("1.0", range(20)))
    assert len(np.unique(named.group_train)) * 3 == len(named.group_train)


@pytest.mark.parametrize("delimiter", [" ", "\t", "   "])
def test_the_published_files_of_eth_are_read(load, tmp_path, delimiter):
    text = "".join(delimiter.join((f"{t:.1f}", f"{who}.0", f"{t / 10}", "1.5"))
                   + "\n" for who in (1, 2) for t in range(780, 980, 10))
    data = load(text)
    assert (data.frame_step, data.past_train.shape) == (10, (12, 3, 2))
    assert is_trajectory_table(str(tmp_path / "mine.csv"))


@pytest.mark.parametrize("factor, doubted", [
    (1, False), (1000, True), (0.001, True)])
def test_another_unit_than_metres_is_doubted(load, caplog, factor, doubted):
    load(HEADER + "".join(f"{t},1,{t * 0.5 * factor},0\n" for t in range(20)))
    assert ("Are positions in metres" in caplog.text) == doubted


GOOD = rows(1, range(12))


@pytest.mark.parametrize("text, message", [
    ("", "columns frame, agent, x, y, got none in the first line"),
    (HEADER, "needs rows under its first line, got none"),
    (HEADER + "\n\n", "needs rows under its first line, got none"),
    ("frame,agent,x\n" + "1,2,3\n", "columns frame, .* got frame, agent, x in"),
    ("frame;ped;x;y\n1;2;3;4\n", "got frame, ped, x, y in the first line"),
    (HEADER + GOOD + "12,1,oak,0\n", "line 14: x must be a number, got 'oak'"),
    (HEADER + "0,1,0,nan\n" + GOOD, "line 2: y must be finite, got nan"),
    (HEADER + "0,1,-inf,0\n" + GOOD, "line 2: x must be finite, got -inf"),
    (HEADER + "0.5,1,0,0\n", "frame must be a whole number, got 0.5"),
    (HEADER + "1e300,1,0,0\n", "frame must be a whole number, got 1e300"),
    (HEADER + "0, ,0,0\n", "agent must be a number or a name, got nothing"),
    (HEADER + "0,1,0\n", "line 2 must have 4 values, .* got 3"),
    (HEADER + GOOD + "3,1,0,0\n", "one row per frame, got agent '1' at frame 3 "
     "in the lines 5 and 14"),
    ("frame,agent,x,y,scene\n" + rows("ped_8", [0, 1, 1], ",inn"),
     "got agent 'ped_8' of the scene 'inn' at frame 1 in the lines 3 and 4"),
    (HEADER + rows(1, range(0, 200, 10)) + rows(2, range(0, 48, 4)),
     "one rate, got one every 4 frames .* every 10 frames for most"),
    (HEADER + "0,1,0,0\n", "no agent has two rows"),
    (HEADER + rows(1, range(4)), "train must have an agent with 5 positions"),
    (HEADER + rows(1, range(0, 8)), "must have an agent with 5 positions"),
    ("frame,agent,x,y,part\n" + rows(1, range(9), ",val"),
     "part must be train, validation, test, got 'val'"),
    ("frame,agent,x,y,part\n" + rows(1, range(9), ",train"),
     "test must have an agent with 5 positions .* got none in 0 scenes"),
    (HEADER + '"0,1,2,3\n', "must be a table, got unexpected end"),
])
def test_a_wrong_table_gives_one_line(load, text, message):
    with pytest.raises(InputError, match=f"^csv:.*{message}") as error:
        load(text)
    assert "\n" not in str(error.value)


def test_other_bad_input_is_named(load, tmp_path):
    with pytest.raises(InputError, match="unit must be px or m, .* got none"):
        load(HEADER + GOOD, TrajectoryOptions())
    with pytest.raises(InputError, match="got no file at .*none.csv"):
        load_trajectories(f"csv:{tmp_path / 'none.csv'}", options=OPTIONS)
    with pytest.raises(InputError, match="file in UTF-8, got the invalid byte"):
        load(HEADER + rows("\u00e9", range(9)), encoding="latin-1")
    with pytest.raises(InputError, match="frame_step must be a multiple of 1"
                                         "|multiple of 2, .* got 3"):
        load(HEADER + rows(1, range(0, 40, 2)), TrajectoryOptions(
            unit="m", frame_step=3))
