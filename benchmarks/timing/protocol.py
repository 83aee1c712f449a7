"""How the measuring process and a worker talk: JSON, a line at a time.

The worker gets its task as the first line, makes it, runs it once and answers
{"ready": ...}; then, for every {"repetitions": n}, the seconds of each. An end
of its input ends it. What goes wrong is answered as {"error": ...}.
Standard library only, as both programs use it.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
import traceback
from typing import Any, Callable, Mapping, Protocol

_POLL = 0.2  # Seconds.


class Task(Protocol):
    """What a worker repeats."""

    def run(self) -> Mapping[str, float] | None:
        """One repetition, over when it returns; numbers to record."""

    def about(self) -> Mapping[str, Any]:
        """Versions, threads and the like, asked for after the first run."""


class WorkerError(RuntimeError):
    """A worker failed; the message is one line."""


def serve(make: Callable[[Mapping[str, Any]], Task]) -> None:
    """The worker's side, until its input ends.

    Args:
        make: Task as JSON -> what to repeat.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What libraries print must not be taken for an answer.

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    try:
        description = json.loads(sys.stdin.readline())
        built, task = _timed(lambda: make(description))
        first, record = _timed(task.run)
        answer({"ready": {
            "build_seconds": built, "first_seconds": first, "record": record,
            "peak_megabytes": peak_megabytes(), "about": task.about()}})
        for line in sys.stdin:
            seconds, records = [], []
            for _ in range(json.loads(line)["repetitions"]):
                took, record = _timed(task.run)
                seconds.append(took)
                records.append(record)
            answer({"seconds": seconds, "records": records,
                    "peak_megabytes": peak_megabytes(),
                    "about": task.about()})
    except Exception as error:
        # Told to the process that measures, which reports it.
        traceback.print_exc()
        answer({"error": f"{type(error).__name__}: "
                f"{' '.join(str(error).split())[:300]}"})
        raise SystemExit(1) from error


def peak_megabytes() -> float:
    """Most memory that this process ever held, resident, in 10^6 bytes.

    Not getrusage's: that of a child begins with its parent's.
    """
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    raise OSError("VmHWM must stand in /proc/self/status, got none.")


def _timed(function):
    started = time.perf_counter()
    value = function()
    return time.perf_counter() - started, value


class Worker:
    """A worker in a process of its own, whose task has run once.

    Args:
        command: Program and arguments.
        task: What it shall do, as JSON has it.
        timeout: Seconds > 0 to wait for any answer.
        environment: Variables to set for it.

    Attributes:
        ready: What it said of its start, with "start_seconds", from its very
            start to the end of its first run.

    Raises:
        WorkerError: If it failed or did not answer in time.
    """

    def __init__(self, command: list[str], task: Mapping[str, Any],
                 timeout: float, environment: Mapping[str, str] | None = None):
        self.timeout, self._rest = timeout, b""
        self._errors = tempfile.TemporaryFile()
        started = time.perf_counter()
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self._errors, env={**os.environ, **(environment or {})})
        except OSError as error:
            raise WorkerError(
                f"{command[0]} can't be run: {error.strerror}.") from error
        try:
            self.ready = self._ask(task)["ready"]
        except BaseException:
            self.close()
            raise
        self.ready["start_seconds"] = time.perf_counter() - started

    def run(self, repetitions: int) -> dict[str, Any]:
        """Seconds and records of each of so many repetitions."""
        return self._ask({"repetitions": repetitions})

    def close(self) -> None:
        """Ends the process; it has nothing to lose."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            try:
                stream.close()
            except BrokenPipeError:  # A line that nobody will read.
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _ask(self, message):
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # It is gone; `_line` says why.
        answer = json.loads(self._line())
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _line(self) -> bytes:
        end, pipe = time.monotonic() + self.timeout, self.process.stdout
        while b"\n" not in self._rest:
            if time.monotonic() > end:
                raise WorkerError(
                    f"an answer must come within {self.timeout:g} s, got "
                    "none.")
            if select.select([pipe], [], [], _POLL)[0]:
                piece = os.read(pipe.fileno(), 1 << 16)
                if not piece:
                    raise WorkerError(self._last_words())
                self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _last_words(self):
        code = self.process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return (f"the process must answer, got its end with code {code}: "
                f"{last.strip()[:300]}")
