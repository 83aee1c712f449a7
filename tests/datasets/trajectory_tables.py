"""Small recordings and files for the tests of trajectories."""

import json
import os

import numpy as np
import pytest

from lebm_tf.datasets.trajectories.data import Tracks
from lebm_tf.datasets.trajectories.windows import Recording

FOLDS = ("eth", "hotel", "univ", "zara1", "zara2")


def recording(*rows, name="square"):
    """A recording of rows (frame, agent, x); y is -x."""
    frame, agent, x = zip(*rows)
    x = np.array(x, np.float64)
    return Recording(name, np.array(frame, np.int64),
                     np.array(agent, np.int64), np.stack([x, -x], 1))


def walk(agent, frames, speed=1.0):
    """Rows of one agent who is at x = speed * frame."""
    return [(frame, agent, speed * frame) for frame in frames]


def tracks(num_rows, scene="square", start=0, past=3, future=2):
    """Windows of zeros, each a group of its own."""
    return Tracks(
        np.zeros([num_rows, past, 2]), np.zeros([num_rows, future, 2]),
        np.arange(num_rows), np.full(num_rows, scene),
        start + np.arange(num_rows))


def save_sdd(folder, **changes):
    """Writes a small file in the form of sdd/sdd_trajnet.npz."""
    arrays = {}
    for part, scenes in (("train", ["a_0", "a_0", "b_1"]), ("test", ["c_0"])):
        size = len(scenes)
        steps = np.arange(20.0)[:, None] * np.ones(2)
        arrays |= {
            f"{part}_xy_px": np.tile(steps, (size, 1, 1)).astype("f4"),
            f"{part}_scene": np.array(scenes),
            f"{part}_start_frame": np.arange(size, dtype="i4") * 12}
    os.makedirs(folder / "sdd", exist_ok=True)
    arrays = {key: value for key, value in (arrays | changes).items()
              if value is not None}
    np.savez(folder / "sdd" / "sdd_trajnet.npz", **arrays)


def save_eth(folder, splits=None, **changes):
    """Writes small files in the form of eth_ucy/: one walker a recording."""
    keys = {"train": ["biwi_train"], "val": ["biwi_val"], "test": ["zara"]}
    rows = {key: np.stack([np.arange(0.0, 10.0 * n, 10.0), np.ones(n),
                           np.arange(n), np.zeros(n)], 1)
            for key, n in (("biwi_train", 25), ("biwi_val", 20),
                           ("zara", 22))}
    os.makedirs(folder / "eth_ucy", exist_ok=True)
    np.savez(folder / "eth_ucy" / "eth_ucy_raw.npz", **(rows | changes))
    with open(folder / "eth_ucy" / "splits.json", "w",
              encoding="utf-8") as file:
        json.dump({"zara1": keys} if splits is None else splits, file)


def data_dir(*files):
    """$LEBM_DATA_DIR if it has the files, else the test is skipped."""
    folder = os.environ.get("LEBM_DATA_DIR", "")
    missing = [name for name in files
               if not os.path.isfile(os.path.join(folder, name))]
    if missing:
        pytest.skip(f"set LEBM_DATA_DIR to a folder with {missing[0]}")
    return folder
