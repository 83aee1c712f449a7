"""Runs are made once; results grow and are whole."""

import json
import subprocess
import sys

import pytest

from benchmarks import runs
from lebm_tf import train
from lebm_tf.errors import InputError
from lebm_tf.families import DataSpec
from lebm_tf.training import workdir as workdirs

SMOKE = "configs/smoke/image.cfg"


@pytest.fixture
def called(monkeypatch):
    """What was run, in place of running it; the exit status is `status`."""
    seen = []

    def call(arguments):
        seen.append(arguments[1:])
        return call.status
    call.status = 0
    monkeypatch.setattr(subprocess, "call", call)
    return seen, call


def test_a_run_that_has_ended_is_found_and_another_is_made(called, tmp_path):
    seen, _ = called
    workdir, flags = str(tmp_path), ("--flagfile=" + SMOKE, "--seed=1")
    assert not runs.is_trained(workdir)
    (tmp_path / "metrics.json").write_text('{"run/step": 3}')  # Not ended.
    runs.trained(workdir, *flags, data_dir="there")
    assert seen == [["-m", "lebm_tf.train", *flags,
                     f"--workdir={workdir}", "--data_dir=there"]]
    (tmp_path / "metrics.json").unlink()
    resolved = train.from_flagfile(SMOKE, "--seed=1", f"--workdir={workdir}")
    resolved = workdirs.Run(
        *resolved[:2], DataSpec((4, 4, 1), "there"), resolved[2])
    workdirs.write(workdir, resolved)
    (tmp_path / "metrics.json").write_text('{"training/seconds": 5.0}')
    assert runs.trained(workdir, *flags) == {"training/seconds": 5.0}
    assert len(seen) == 1
    runs.trained(workdir, *flags, "--train_steps=4000")
    assert "--train_steps=4000" in seen[1]
    with pytest.raises(InputError, match="another run; it differs in seed"):
        runs.trained(workdir, *flags, "--seed=2")


def test_a_command_that_fails_is_named(called):
    called[1].status = 2
    with pytest.raises(InputError, match="lebm_tf.evaluate must end well, got "
                       "exit status 2 with --seed=1."):
        runs.call("lebm_tf.evaluate", "--seed=1")


def test_results_grow_in_the_file_that_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "RESULTS", str(tmp_path))
    results = runs.begun("mine", "runs", "shifts")
    assert results["runs"] == results["shifts"] == {}
    results["runs"]["a"] = 1
    runs.write("mine", results, "| a |\n", str(tmp_path))
    results["commands"] = runs.commands({})
    assert json.loads((tmp_path / "mine.json").read_text()) == results
    assert (tmp_path / "mine.md").read_text() == "| a |\n"
    assert runs.begun("mine", "runs", "shifts") == results


def test_results_name_their_commands_without_folders(monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", [
        "/bin/python", "-m", "benchmarks.anomaly", "--data_dir=/home/me",
        "--systems=two-stage VAE"])
    this = ("python -m benchmarks.anomaly --data_dir=DIR "
            "'--systems=two-stage VAE'")
    assert runs.commands({}) == [this]
    assert runs.commands({"commands": ["python -m a", this]}) == [
        "python -m a", this]


def test_a_system_is_a_folder():
    assert runs.folder_of("SRI, 5 layers") == "SRI__5_layers"
