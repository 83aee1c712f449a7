"""What tells data from others of the same shape."""

import dataclasses
import json

import numpy as np
import pytest

from lebm_tf.configuration.data import TrajectoryOptions
from lebm_tf.datasets import ImageData, VectorData, load_dataset
from lebm_tf.datasets.fingerprint import differing, fingerprint
from lebm_tf.errors import InputError
from lebm_tf.training import same_data

RANDOM = np.random.default_rng(0)
PICTURES = ImageData(
    "p", RANDOM.integers(0, 256, [30, 4, 4, 1]).astype(np.uint8),
    RANDOM.integers(0, 256, [9, 4, 4, 1]).astype(np.uint8),
    np.arange(30) % 3, np.arange(9) % 3)
TABLE = VectorData(
    "t", RANDOM.normal(size=[3000, 5]).astype(np.float32),
    RANDOM.normal(size=[40, 5]).astype(np.float32), np.arange(3000) % 2,
    np.arange(40) % 2, ("a", "b"))


def changed(data, **values):
    """What differs, after the record was written as JSON and read again."""
    kept = json.loads(json.dumps(fingerprint(data)))
    return differing(kept, fingerprint(dataclasses.replace(data, **values)))


def test_equal_data_are_equal():
    assert changed(PICTURES) == changed(TABLE) == []


@pytest.mark.parametrize("values, names", [
    ({"x_train": 255 - PICTURES.x_train}, ["x_train"]),
    ({"x_test": PICTURES.x_test[::-1]}, ["x_test"]),
    ({"y_train": 2 - PICTURES.y_train}, ["y_train"]),
    ({"y_train": None, "y_test": None}, ["y_test", "y_train"]),
    ({"classes": ("x", "y", "z")}, ["classes"])])
def test_what_changed_is_named(values, names):
    assert changed(PICTURES, **values) == names


def test_floats_may_be_rounded_in_another_way_but_not_be_others():
    x = TABLE.x_train
    assert not changed(TABLE, x_train=x * np.float32(1 + 1e-6))
    one, swapped = x.copy(), x.copy()
    one[1234, 3] += 0.1
    swapped[[7, 8]] = swapped[[8, 7]]
    for other in (one, swapped, -x, x[:-1]):
        y = TABLE.y_train[:len(other)]
        assert "x_train" in changed(TABLE, x_train=other, y_train=y)


def test_a_work_directory_refuses_other_data(tmp_path):
    same_data.check(str(tmp_path), TABLE)
    same_data.keep(str(tmp_path), TABLE)
    same_data.keep(str(tmp_path), TABLE)
    other = dataclasses.replace(TABLE, classes=("a", "c"))
    same_data.keep(str(tmp_path), other)
    with pytest.raises(InputError, match="but its classes differ"):
        same_data.check(str(tmp_path), other)
    (tmp_path / same_data.DATA).write_text('{"x_train": {}}')
    with pytest.raises(InputError, match="data.json is damaged"):
        same_data.check(str(tmp_path), TABLE)


def test_a_change_of_the_past_of_paths_is_seen(tmp_path):
    path = tmp_path / "walks.csv"
    rows = [f"{frame},{agent},{frame * agent},{agent}"
            for frame in range(120) for agent in (1, 2)]
    found = []
    for first in (rows[0], "0,1,0.5,1"):
        path.write_text("\n".join(["frame,agent,x,y", first, *rows[1:]]))
        found.append(fingerprint(load_dataset(
            f"csv:{path}", trajectories=TrajectoryOptions(unit="m"))))
    assert "past_train" in differing(*found)
