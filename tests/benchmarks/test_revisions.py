"""Two states of the code in turns."""

import json

import pytest

from benchmarks import revisions
from lebm_tf.configuration import command, fields
from tests.benchmarks.test_speed import ROOT

ALL = fields.fields(revisions.RevisionsBenchmark)


def call(*flags):
    return command.run(revisions.main, revisions.__doc__, ALL, ["", *flags])


@pytest.mark.long
def test_a_state_is_as_fast_as_itself(tmp_path):
    assert call(f"--before={ROOT}", "--cases=prior/mnist", "--rounds=3",
                "--round_seconds=0.1", "--sizes=tiny",
                f"--output={tmp_path}") == 0
    found = json.loads((tmp_path / "revisions.json").read_text())
    assert 0.3 < found["cases"]["prior/mnist"]["ratio"] < 3
    assert found["before"] == found["after"]
    assert "| prior/mnist |" in (tmp_path / "revisions.md").read_text()


def test_the_ratio_is_that_of_turns_side_by_side(monkeypatch):
    class Worker:
        def __init__(self, folder, *_):
            self.slower = 1.1 if folder == revisions.ROOT else 1.0
            self.turn = 0

        def run(self, repetitions):
            self.turn += 1  # The machine itself becomes slower.
            return {"seconds": [self.slower * self.turn] * repetitions}

        def close(self):
            pass
    monkeypatch.setattr(revisions, "worker", Worker)
    found = revisions.measure("train/svhn", revisions.RevisionsBenchmark(
        before="elsewhere", rounds=4))
    assert found["ratio"] == pytest.approx(1.1)
    assert found["most"] == pytest.approx(found["least"])


def test_what_can_not_be_compared_is_said(capfd, tmp_path):
    assert call(f"--before={tmp_path}") == 2
    assert "--before must be a checkout of this repository, got" in (
        capfd.readouterr().err)
    with pytest.raises(ValueError, match="cases must be KIND/SETTING"):
        revisions.RevisionsBenchmark(cases=("served/svhn",))
