"""Where the time goes: a small recording, and what is made of one."""

import pytest

from benchmarks import profile
from benchmarks.timing.cases import Plan


def test_a_recording_names_operations_and_their_seconds(monkeypatch):
    setting = Plan(True, (), 0, "").setting("svhn")
    monkeypatch.setattr(Plan, "setting", lambda self, name: setting)
    monkeypatch.setattr(profile, "_SHOWN", 0.0)
    found = profile.record("posterior/svhn", "float32")
    names = " ".join(found["operations"])
    assert "Conv2D" in names and "LeakyRelu" in names
    assert 0 < max(found["operations"].values()) < found["recorded_seconds"]
    assert 0 < found["seconds"] < 60


def test_shares_are_of_the_recorded_repetition():
    text = profile.table({"cases": {"posterior/svhn float32": {
        "recorded_seconds": 2.0, "flops": 3_000_000_000_000,
        "operations": {"Conv2D": 1.5, "Mul": 0.1}}}})
    assert "**posterior/svhn float32**: 2.000 s, 3,000 GFLOP" in text
    assert "| Conv2D | 1.5000 | 75.0% |" in text


def test_another_kind_of_case_is_refused():
    with pytest.raises(ValueError, match="cases must be train/NAME"):
        profile.ProfileBenchmark(cases=("prior/svhn",))
