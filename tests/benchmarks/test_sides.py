"""Sides take turns, and slow variants are not run to the end."""

import dataclasses
import types

import pytest

from benchmarks.speed import SpeedBenchmark, is_done, settings
from benchmarks.timing import sides
from benchmarks.timing.case import Case, Side
from benchmarks.timing.protocol import WorkerError

SECONDS = {"lebm_tf float32": 0.1, "PyTorch eager": 0.4,
           "PyTorch fast": 0.05, "PyTorch slow": 0.3}
CHOSEN = SpeedBenchmark(rounds=3, pause=0.0, round_seconds=0.2)


class Scripted:
    """A worker that does nothing and says how long it took."""
    turns, alive = [], set()

    def __init__(self, command, task, timeout, environment):
        self.name = task["name"]
        if task.get("fails") == "start":
            raise WorkerError("not today")
        self.task = task
        self.ready = {"first_seconds": 1.0, "start_seconds": 5.0,
                      "about": {}, "peak_megabytes": 1.0, "record": None}
        self.alive.add(self.name)

    def run(self, repetitions):
        if self.task.get("fails") == "run":
            raise WorkerError("no more")
        self.turns.append((self.name, repetitions))
        return {"seconds": [SECONDS[self.name]] * repetitions, "about": {},
                "records": [None] * repetitions, "peak_megabytes": 2.0}

    def close(self):
        self.alive.discard(self.name)


@pytest.fixture(autouse=True)
def scripted(monkeypatch):
    monkeypatch.setattr(sides, "Worker", Scripted)
    Scripted.turns, Scripted.alive = [], set()


def case(*names, fails=(), **more):
    return Case("train/x", tuple(
        Side(name, "ours", {"name": name, "fails": dict(fails).get(name)})
        for name in names), **more)


def test_turns_go_forth_and_back_and_are_of_equal_length():
    found = sides.Sides(case("lebm_tf float32", "PyTorch eager"), CHOSEN,
                        ".", {}).measure()
    assert Scripted.turns == [
        ("lebm_tf float32", 1), ("PyTorch eager", 1), ("PyTorch eager", 1),
        ("lebm_tf float32", 2), ("lebm_tf float32", 2), ("PyTorch eager", 1)]
    assert found["lebm_tf float32"]["seconds"] == {
        "median": 0.1, "min": 0.1, "max": 0.1, "runs": 5, "p99": 0.1}
    assert found["PyTorch eager"]["peak_megabytes"] == 2.0
    assert not Scripted.alive


def test_a_variant_that_is_far_behind_is_left_out_but_never_the_authors_way():
    found = sides.Sides(case(*SECONDS), CHOSEN, ".", {}).measure()
    runs = {name: side["seconds"]["runs"] for name, side in found.items()}
    assert runs["PyTorch slow"] == 1
    assert runs["PyTorch eager"] == 3 and runs["PyTorch fast"] > 3


@pytest.mark.parametrize("when,why", [("start", "not today"),
                                      ("run", "no more")])
def test_a_side_that_fails_is_reported_and_the_others_are_measured(when, why):
    one = case("lebm_tf float32", "PyTorch eager",
               fails={"PyTorch eager": when})
    found = sides.Sides(one, CHOSEN, ".", {}).measure()
    assert found["PyTorch eager"]["failed"] == why
    assert "seconds" not in found["PyTorch eager"]
    assert found["lebm_tf float32"]["seconds"]["runs"] == 5
    assert not is_done({"sides": found}) and not Scripted.alive


def test_a_failure_before_is_that_of_all_sides():
    before = case("export", fails={"export": "start"}).sides
    before = (dataclasses.replace(before[0], task={
        **before[0].task, "kind": "export"}),)
    found = sides.Sides(case("PyTorch fast", before=before), CHOSEN,
                        ".", {}).measure()
    assert found["PyTorch fast"]["failed"] == "export export: not today"


def test_a_fresh_start_is_timed_from_the_start_of_the_process():
    found = sides.Sides(case("PyTorch eager", fresh=True), CHOSEN,
                        ".", {}).measure()
    assert found["PyTorch eager"]["seconds"]["median"] == 5.0
    assert found["PyTorch eager"]["seconds"]["runs"] == 3
    assert not Scripted.turns and not Scripted.alive


@pytest.mark.parametrize("round_lasts,turns", [(0.6, 3), (1.1, 2),
                                               (0.1, 9)])
def test_time_that_is_up_ends_a_case_but_not_too_early(
        monkeypatch, round_lasts, turns):
    clock = (i * round_lasts for i in range(100))
    monkeypatch.setattr(sides, "time", types.SimpleNamespace(
        monotonic=lambda: next(clock), sleep=lambda seconds: None))
    short = dataclasses.replace(CHOSEN, rounds=9, seconds=1.0)
    sides.Sides(case("PyTorch eager"), short, ".", {}).measure()
    assert len(Scripted.turns) == turns


def test_a_kept_case_is_of_the_same_tasks_and_rounds():
    one = case("PyTorch eager")
    assert settings(one, CHOSEN) == settings(case("PyTorch eager"), CHOSEN)
    assert settings(one, CHOSEN) != settings(case("PyTorch slow"), CHOSEN)
    assert settings(one, CHOSEN) != settings(
        one, dataclasses.replace(CHOSEN, rounds=4))
