"""A worker answers line by line, and says what went wrong."""

import subprocess
import sys
import time

import pytest

from benchmarks.timing.protocol import Worker, WorkerError

WORKER = """
import os, sys, time
from benchmarks.timing.protocol import serve
class Task:
    def __init__(self, task):
        if task.get("fails"):
            raise ValueError("no such thing")
        self.task, self.count = task, 0
    def run(self):
        self.count += 1
        print("a library prints something")
        if self.count == self.task.get("dies"):
            sys.stderr.write("killed on purpose\\n")
            sys.stderr.flush()
            os._exit(3)
        time.sleep(self.task["sleep"])
        return {"count": self.count}
    def about(self):
        return {"seen": self.task.get("seen"),
                "variable": os.environ.get("OF_A_TEST")}
serve(Task)
"""
COMMAND = [sys.executable, "-c", WORKER]


def start(timeout=60.0, **task):
    return Worker(COMMAND, {"sleep": 0.0, **task}, timeout,
                  {"OF_A_TEST": "set"})


def test_it_runs_once_at_its_start_and_then_as_often_as_told():
    with start(sleep=0.02, seen=7) as worker:
        ready = worker.ready
        assert ready["about"] == {"seen": 7, "variable": "set"}
        assert ready["record"] == {"count": 1}
        assert ready["start_seconds"] >= ready["first_seconds"] >= 0.02
        answer = worker.run(3)
        assert len(answer["seconds"]) == 3 and min(answer["seconds"]) >= 0.02
        assert [one["count"] for one in answer["records"]] == [2, 3, 4]
        assert worker.run(1)["records"] == [{"count": 5}]
        assert answer["peak_megabytes"] > 1


def test_what_a_task_raises_is_told_in_one_line():
    with pytest.raises(WorkerError, match="^ValueError: no such thing$"):
        start(fails=True)


def test_the_last_words_of_a_dead_worker_are_told():
    with start(dies=2) as worker:
        with pytest.raises(WorkerError, match="code 3: killed on purpose"):
            worker.run(1)


def test_a_worker_that_does_not_answer_in_time_is_ended():
    started = time.monotonic()
    with pytest.raises(WorkerError, match="within 0.5 s, got none"):
        start(timeout=0.5, sleep=60.0)
    assert time.monotonic() - started < 30


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(WorkerError, match="/none can't be run: No such"):
        Worker(["/none"], {}, 1.0)


def test_peak_memory_stays_when_memory_is_freed():
    """In a process of its own: this one may have held gigabytes before."""
    subprocess.run([sys.executable, "-c", """
from benchmarks.timing.protocol import peak_megabytes
before = peak_megabytes()
block = bytearray(int((before + 200) * 1e6))
block[::4096] = b"x" * len(block[::4096])
assert peak_megabytes() >= before + 200
del block
assert peak_megabytes() >= before + 200
"""], check=True)
