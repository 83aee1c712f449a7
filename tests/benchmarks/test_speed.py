"""The command, in small: our side in processes of its own."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import speed
from benchmarks.timing import cases, ours
from benchmarks.timing.protocol import Worker
from lebm_tf.configuration import command, fields

ROOT = pathlib.Path(__file__).parents[2]


def run(capsys, *flags):
    """(exit code, what it said, what was wrong)."""
    code = command.run(speed.main, speed.__doc__, fields.fields(
        speed.SpeedBenchmark), ["speed", *flags])
    said = capsys.readouterr()
    return code, said.out, said.err


def small(tmp_path, *flags):
    return ("--sizes=tiny", f"--output={tmp_path}", "--peer_python=none",
            "--rounds=2", "--round_seconds=0.01", "--pause=0", "--threads=1",
            *flags)


@pytest.mark.slow
def test_cases_are_measured_written_and_kept(tmp_path, capsys):
    flags = small(tmp_path, "--cases=prior/svhn/1")
    code, said, _ = run(capsys, *flags)
    assert code == 0 and "prior/svhn/1: lebm_tf float32: " in said
    results = json.loads((tmp_path / "speed.json").read_text())
    found = results["cases"]["prior/svhn/1"]["sides"]
    assert set(found) == {"lebm_tf float32", "lebm_tf mixed_bfloat16"}
    for side in found.values():
        assert 0 < side["seconds"]["min"] <= side["seconds"]["median"]
        assert side["about"]["traces"] == 1
    table = (tmp_path / "speed.md").read_text()
    assert "| prior/svhn/1 | lebm_tf float32 | " in table
    assert run(capsys, *flags)[:2] == (0, "prior/svhn/1: kept\n")
    assert table == (tmp_path / "speed.md").read_text()


def test_figures_of_another_machine_are_not_mixed(tmp_path, capsys):
    (tmp_path / "speed.json").write_text(json.dumps({
        "machine": {"processor": "Z80", "cpus": 1, "system": "CP/M"},
        "cases": {"limit/float32": {}}}))
    code, _, wrong = run(capsys, *small(tmp_path, "--cases=limit"))
    assert code == 2 and "got" in wrong and "Z80, 1 CPUs, CP/M" in wrong


@pytest.mark.parametrize("flags,wrong", [
    (("--cases=train/imagenet",), "--cases must be of the groups limit"),
    (("--rounds=0",), "--rounds must be >= 1, got 0"),
    (("--precisions=float64",), "--precisions must be among float32, mixed"),
    (("--give_up=1",), "--give_up must be > 1, got 1.0"),
    (("--sizes=huge",), "--sizes must be one of published, tiny, got"),
    (("--sizes=tiny",), "--output must be a folder of your own"),
    (("--peer_python=/none",), "--peer_python must be a Python with torch")])
def test_wrong_input_gets_one_line(capsys, flags, wrong):
    code, _, said = run(capsys, "--peer_python=none", *flags)
    assert code == 2 and wrong in said and said.count("\n") == 1


@pytest.mark.parametrize("tiny", [True, False])
def test_every_case_has_its_own_name_and_work_that_both_sides_do(tiny):
    plan = cases.Plan(tiny, ("eager", "bfloat16"), 1, "there")
    everything = cases.all_cases(plan)
    assert len({case.name for case in everything}) == len(everything)
    assert {case.name.split("/")[0] for case in everything} == set(
        speed.report.TITLES)
    for case in everything:
        assert len({side.name for side in case.sides}) == len(case.sides)
        settings = [json.dumps(side.task["setting"], sort_keys=True)
                    for side in case.sides if "setting" in side.task]
        assert len(set(settings)) <= 1, case.name
        assert case.inner_flops <= case.flops
    names = {case.name for case in everything}
    assert {"train/svhn", "train/cifar10", "train/mnist", "posterior/svhn",
            "prior/svhn/1", "prior/svhn/100", "prior/svhn/10000", "served/1",
            "start/svhn", "scaling/replicas/2", "limit/bfloat16"} <= names
    for case in everything:
        if case.name.startswith("memory"):
            assert case.sides[0].precision == "float32"


def test_cases_without_pytorch_are_ours_alone():
    everything = cases.all_cases(cases.Plan(True, (), 1, "there"))
    assert {side.program for case in everything for side in case.sides} == {
        "ours", "served"}


TINY = cases.Plan(True, (), 1, "").setting("svhn")


@pytest.mark.parametrize("kind,more", [
    ("train", {}), ("train", {"replicas": 2}), ("posterior", {}),
    ("prior", {}), ("batches", {})])
def test_our_side_repeats_without_tracing_anew(kind, more):
    task = {"kind": kind, "setting": TINY.to_json(), "threads": 0,
            "precision": "mixed_bfloat16", **more}
    made = ours.make(task)
    records = [made.run() for _ in range(3)]
    if kind == "train":
        assert all(np.isfinite(list(record.values())).all()
                   for record in records)
        assert records[0] != records[1]
    if kind != "batches":
        assert made.about()["traces"] == 1


def test_a_product_is_computed_in_its_precision():
    made = ours.make({"kind": "product", "size": 8, "threads": 0,
                      "precision": "bfloat16"})
    made.run()
    assert made.product(made.a, made.b)[0].dtype.name == "bfloat16"


@pytest.mark.long  # As in tests/serving.
def test_an_exported_model_answers_a_program_without_the_library(tmp_path):
    ours.make({"kind": "export", "setting": TINY.to_json(), "threads": 0,
               "folder": str(tmp_path), "max_batch": 16,
               "row_blocks": [1]}).run()
    task = {"folder": str(tmp_path), "rows": 3, "threads": 1}
    program = [sys.executable, "-m", "benchmarks.timing.served"]
    with Worker(program, task, 300, {"PYTHONPATH": str(ROOT)}) as worker:
        assert len(worker.run(2)["seconds"]) == 2


def peer_python():
    """A Python with torch, which the suite's own has not."""
    for python in (os.environ.get("LEBM_PEER_PYTHON", ""),
                   str(ROOT / ".venv-bench" / "bin" / "python")):
        if python and os.path.exists(python) and not subprocess.run(
                [python, "-c", "import torch"], capture_output=True
                ).returncode:
            return python
    pytest.skip("needs a Python with torch: $LEBM_PEER_PYTHON, or "
                ".venv-bench, which `make bench` builds")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["svhn", "mnist"])
def test_both_programs_make_the_same_step_of_the_same_noise(tmp_path, name):
    python = peer_python()
    setting = cases.Plan(True, (), 1, "").setting(name)
    np.savez(tmp_path / "step.npz", **ours.known_step(setting))
    for variant in ("eager", "channels_last"):
        task = {"kind": "agreement", "setting": setting.to_json(),
                "file": str(tmp_path / "step.npz"), "variant": variant,
                "threads": 1, "tolerance": 1e-4}
        with Worker([python, "-m", "benchmarks.peer"], task, 300,
                    {"PYTHONPATH": str(ROOT)}) as worker:
            assert set(worker.ready["record"]) == {
                "end/posterior", "end/prior", "loss/generator", "loss/energy"}


@pytest.mark.slow
def test_a_step_that_is_not_the_same_is_seen(tmp_path):
    """The check itself: other noise must be found out."""
    python = peer_python()
    arrays = ours.known_step(TINY)
    arrays["noise/prior"] = arrays["noise/prior"] * 1.01
    np.savez(tmp_path / "step.npz", **arrays)
    task = {"kind": "agreement", "setting": TINY.to_json(), "threads": 1,
            "file": str(tmp_path / "step.npz"), "variant": "eager",
            "tolerance": 1e-4}
    with pytest.raises(Exception, match="end/prior of both programs must"):
        Worker([python, "-m", "benchmarks.peer"], task, 300,
               {"PYTHONPATH": str(ROOT)})
