"""The benchmark of molecules, with commands that only say that they ran."""

import json

import pytest

from benchmarks import molecules, runs


@pytest.fixture
def evaluated(monkeypatch, tmp_path):
    """A run, and the temperatures at which it was evaluated."""
    path, heats = tmp_path / "metrics.json", []
    path.write_text('{"run/step": 9, "training/seconds": 5.0}')

    def call(module, *flags, data_dir):
        heats.append(flags[-1].rpartition("=")[2])
        path.write_text(json.dumps({
            **json.loads(path.read_text()),
            "molecules/valid/samples": 1.0 / float(heats[-1]),
            "sequences/energy": 2.0}))
    monkeypatch.setattr(runs, "call", call)
    return path, heats


def test_samples_are_measured_once_for_each_run(evaluated, tmp_path):
    path, heats = evaluated
    chosen = molecules.MoleculeBenchmark()

    def measure(heat):
        return molecules.measured(str(tmp_path), heat, chosen)
    assert measure(1.0) == measure(1.0) == {"molecules/valid/samples": 1.0}
    assert measure(0.5) == {"molecules/valid/samples": 2.0}
    assert measure(1.0) == {"molecules/valid/samples": 1.0}
    assert heats == ["1.0", "0.5"]
    # Trained again.
    path.write_text('{"run/step": 9, "training/seconds": 6.0}')
    measure(1.0)
    assert heats == ["1.0", "0.5", "1.0"]


def test_other_samples_than_those_kept_are_measured(evaluated, tmp_path):
    _, heats = evaluated
    for number in (100, 100, 200):
        molecules.measured(str(tmp_path), 1.0, molecules.MoleculeBenchmark(
            num_samples=number))
    assert heats == ["1.0", "1.0"]
