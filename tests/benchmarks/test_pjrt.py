"""The training step as a program for other runtimes."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import pjrt
from benchmarks.pjrt import lower, run
from benchmarks.timing.cases import Plan
from lebm_tf.configuration import command, fields
from tests.benchmarks.test_speed import ROOT

TINY = Plan(True, (), 1, "").setting("svhn")
LOSSES = {"metric/loss/energy", "metric/loss/generator"}


@pytest.fixture(scope="module", params=[
    "float32", pytest.param("mixed_bfloat16", marks=pytest.mark.long)])
def folder(request, tmp_path_factory):
    """A program of a small network, with one step made by TensorFlow."""
    path = tmp_path_factory.mktemp("programs") / f"svhn_{request.param}"
    lower.write(TINY, request.param, str(path), check=True)
    return path


def read(folder):
    program = json.loads((folder / "program.json").read_text())
    return (program, dict(np.load(folder / "weights.npz")),
            dict(np.load(folder / "expected.npz")))


@pytest.mark.slow
def test_what_goes_in_comes_out_and_has_moved(folder):
    program, state, expected = read(folder)
    names = [one["name"] for one in program["arguments"]]
    assert names == ["x", "seed", *state]
    outputs = {one["name"]: one["shape"] for one in program["outputs"]}
    assert LOSSES < set(outputs)
    for one in program["arguments"][2:]:
        assert outputs["state/" + one["name"]] == one["shape"]
    step, = [name for name in state if name.endswith("/step:0")]
    assert state[step] == 0 and expected["state/" + step] == 1
    # Adam's first step is the learning rate, whatever the gradient is.
    for part, layer in (("generator", "/map/kernel:0"),
                        ("energy", "/dense_0/kernel:0")):
        kernel, = [name for name in state if name.endswith(layer)]
        moved = np.abs(expected["state/" + kernel] - state[kernel])
        assert np.median(moved) == pytest.approx(
            TINY.model[f"{part}_optimizer"]["learning_rate"], rel=0.01)


@pytest.mark.slow
def test_jax_makes_the_step_of_tensorflow_and_goes_on(folder, tmp_path):
    python = os.environ.get("LEBM_JAX_PYTHON", "")
    if not python:
        pytest.skip("needs a Python with jax 0.10: $LEBM_JAX_PYTHON")
    subprocess.run(
        [sys.executable, "-m", "benchmarks.pjrt.run", "--rounds=1",
         f"--programs={folder.parent}", f"--jax_python={python}",
         "--size=32", "--pause=0"], check=True, cwd=ROOT, timeout=600)
    results = json.loads((folder.parent / "pjrt.json").read_text())
    side, = results["cases"]["train/svhn"]["sides"].values()
    assert max(side["about"]["from TensorFlow"].values()) < 0.05
    assert LOSSES == set(side["record"])
    assert "items/s" in (folder.parent / "pjrt.md").read_text()


def test_a_folder_without_programs_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="--programs must hold what"):
        run.main([f"--programs={tmp_path}"])


@pytest.mark.parametrize("flags,wrong", [
    ((), "--output must be a folder, got none"),
    (("--output=x", "--setting=mars"), "--setting must be one of svhn"),
    (("--output=x", "--precisions=float8"), "--precisions must be among"),
    (("--output=x", "--batch_size=-1"), "--batch_size must be >= 0, got -1")])
def test_wrong_input_gets_one_line(capsys, flags, wrong):
    code = command.run(lower.main, lower.__doc__, fields.fields(
        lower.LowerStep), ["lower", *flags])
    said = capsys.readouterr().err
    assert code == 2 and wrong in said and said.count("\n") == 1


def test_the_runner_needs_the_standard_library_alone():
    """On the other machine is no TensorFlow, and main has no jax."""
    code = ("import sys; import benchmarks.pjrt.run; "
            "sys.exit(bool({'tensorflow', 'numpy', 'jax', 'lebm_tf'} "
            "& set(sys.modules)))")
    assert not subprocess.run([sys.executable, "-c", code], cwd=ROOT
                              ).returncode
    assert pjrt.__doc__
