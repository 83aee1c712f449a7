"""A run killed at any instant ends with the same weights."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.training import event_logs

# Passes its bound at step 3, goes back to step 0, ends in mid-epoch.
FLAGS = ("--flagfile=configs/smoke/image.cfg --batch_size=500 "
         "--train_steps=17 --log_every=5 --checkpoint_every=5 "
         "--prior_num_steps=10 --prior_step_size=0.5 --posterior_start=bank "
         "--energy_optimizer_learning_rate=0.6 --max_energy=2")


def trained(path, *hows):
    result = subprocess.run(
        [sys.executable, "-m", "tests.commands.killed", str(path), FLAGS,
         *hows], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    return path


def values(path):
    reader = tf.train.load_checkpoint(str(path / "checkpoints" / "ckpt-17"))
    return {name: reader.get_tensor(name) for name in
            reader.get_variable_to_shape_map() if "GRAPH" not in name}


def rows(path):
    found = json.loads((path / "history.json").read_text())
    return [{key: value for key, value in row.items() if key != "seconds"}
            for row in found]


def events(path):
    """(tag, step) of all scalars that TensorBoard would show."""
    found = []
    for name in os.listdir(path / "logs"):
        for record in event_logs.records(str(path / "logs" / name)):
            event = tf.compat.v1.Event.FromString(record)
            found += [(value.tag, event.step) for value in event.summary.value]
    return sorted(found)


@pytest.mark.slow
@pytest.mark.parametrize("timed", [
    (), pytest.param(("time:2", "time:3", "time:4"), marks=pytest.mark.long)])
def test_a_run_killed_at_any_instant_ends_with_the_same_weights(
        tmp_path, timed):
    """In mid-epoch, while a checkpoint is written, right after a rollback,
    and whenever a timer says so."""
    whole = trained(tmp_path / "whole", "end")
    parts = trained(tmp_path / "parts", "rollback", "write:1", "index:2",
                    "step:14", *timed, "end")
    expected, got = values(whole), values(parts)
    assert set(expected) == set(got)
    for name, value in expected.items():
        np.testing.assert_array_equal(value, got[name], name)
    assert rows(whole) == rows(parts)
    records = [json.loads((path / "rollbacks.json").read_text())
               for path in (whole, parts)]
    assert records[0] == records[1]
    assert [record["to"] for record in records[0]] == [0]
    assert records[0][0]["step"] == 3
    for path in (whole, parts):
        metrics = json.loads((path / "metrics.json").read_text())
        assert metrics["training/rollbacks"] == 1
        assert "beyond max_energy" in metrics["training/rollback_1"]
        assert len(events(path)) == len(set(events(path)))
        left = os.listdir(path / "checkpoints")
        assert sorted(left) == sorted(
            f"ckpt-{step}.{ending}" for step in (0, 10, 15, 17)
            for ending in ("index", "data-00000-of-00001"))
    assert events(whole) == events(parts)
