"""The sides of a case, each in its process, measured in turns."""

import contextlib
import os
import sys
import time
from typing import Any, Mapping

from benchmarks.timing import report
from benchmarks.timing.case import EAGER, Case
from benchmarks.timing.protocol import Worker, WorkerError

_LEAST_ROUNDS = 3
_LONG_ROUNDS = 2  # The least, where one takes longer than a case should.
_MODULES = {"ours": "benchmarks.timing.ours", "peer": "benchmarks.peer",
            "served": "benchmarks.timing.served",
            "pjrt": "benchmarks.pjrt.worker"}


class Sides:
    """The workers of a case, measured in turns.

    Args:
        case: What they do.
        chosen: How they are measured; has the fields rounds to threads of
            `speed.SpeedBenchmark`.
        root: Folder of the repository.
        pythons: Program -> its Python, where it is not this one.
    """

    def __init__(self, case: Case, chosen: Any, root: str,
                 pythons: Mapping[str, str]):
        self.case, self.chosen = case, chosen
        self.root, self.pythons = root, pythons
        self.workers, self.repetitions, self.seconds = {}, {}, {}
        self.found = {side.name: {
            "program": side.program, "precision": side.precision}
            for side in case.sides}

    def measure(self) -> dict:
        """Side -> what was measured of it, or why it failed."""
        try:
            for side in self.case.before:
                self._worker(side).close()
        except WorkerError as error:
            for found in self.found.values():
                found["failed"] = f"{side.name} {side.task['kind']}: {error}"
            return self.found
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: [worker.close() for worker in
                                    self.workers.values()])
            if self.case.fresh:
                self._rounds(self._start)
            else:
                for side in self.case.sides:
                    self._start(side)
                if not self.case.once:
                    self._rounds(self._turn)
        for name, seconds in self.seconds.items():
            if "failed" not in self.found[name]:
                self.found[name]["seconds"] = report.summary(seconds)
        return self.found

    def _worker(self, side):
        python = self.pythons.get(side.program, sys.executable)
        folders = self.root, os.environ.get("PYTHONPATH")
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, folders))}
        # Several programs share an accelerator: none may take all its memory.
        environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        if self.chosen.threads:
            environment["OMP_NUM_THREADS"] = str(self.chosen.threads)
        return Worker([python, "-m", _MODULES[side.program]], side.task,
                      self.chosen.timeout, environment)

    def _start(self, side):
        """Starts the worker of a side; of a `fresh` case that is the turn."""
        try:
            worker = self._worker(side)
        except WorkerError as error:
            self.found[side.name]["failed"] = str(error)
            return
        self.found[side.name].update(worker.ready)
        if self.case.fresh:
            self.seconds.setdefault(side.name, []).append(
                worker.ready["start_seconds"])
            worker.close()
        else:
            self.workers[side.name] = worker
            self.repetitions[side.name] = 1

    def _turn(self, side):
        """Lets a side repeat its task."""
        worker, found = self.workers[side.name], self.found[side.name]
        try:
            answer = worker.run(self.repetitions[side.name])
        except WorkerError as error:
            found["failed"] = str(error)
            self._drop(side.name)
            return
        found.update(peak_megabytes=answer["peak_megabytes"],
                     about=answer["about"], record=answer["records"][-1])
        self.seconds.setdefault(side.name, []).extend(answer["seconds"])
        last = answer["seconds"][-1]
        self.repetitions[side.name] = max(1, min(
            1_000, int(self.chosen.round_seconds / max(last, 1e-9))))

    def _drop(self, name):
        self.workers.pop(name).close()

    def _rounds(self, turn):
        """Forth and back in turns, so that no side is always the first."""
        started, limit = time.monotonic(), self.chosen.seconds
        for number in range(self.chosen.rounds):
            order = self.case.sides[::-1 if number % 2 else 1]
            for side in order:
                if "failed" in self.found[side.name] or (
                        turn == self._turn and side.name not in self.workers):
                    continue
                time.sleep(self.chosen.pause)
                turn(side)
            if turn == self._turn and not number:
                self._give_up()
            spent, done = time.monotonic() - started, number + 1
            least = _LEAST_ROUNDS if spent <= done * limit else _LONG_ROUNDS
            if spent > limit and done >= least:
                return

    def _give_up(self):
        """Leaves out variants of PyTorch that can't be the best one."""
        theirs = {name: min(self.seconds[name]) for name in self.workers
                  if name.startswith("PyTorch ")}
        for name, seconds in theirs.items():
            if name != EAGER and seconds > self.chosen.give_up * min(
                    theirs.values()):
                self._drop(name)
