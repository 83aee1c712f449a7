"""Joins requests of different clients along the first axis."""

import collections
from concurrent import futures
import dataclasses
import threading
import time
from typing import Callable

import grpc
import numpy as np


class Failed(Exception):
    """An answer that is an error.

    Args:
        code: `grpc.StatusCode`.
        text: What is wrong.
    """

    def __init__(self, code, text):
        super().__init__(text)
        self.code, self.text = code, text


def invalid(text):
    return Failed(grpc.StatusCode.INVALID_ARGUMENT, text)


def count_rows(inputs):
    """Of a request that may be joined."""
    if any(value.ndim == 0 for value in inputs.values()):
        raise invalid("input tensors must have at least one dimension")
    counts = {len(value) for value in inputs.values()}
    if len(counts) != 1:
        raise invalid("input tensors must have equal 0th-dimension size")
    return counts.pop()


@dataclasses.dataclass
class Task:
    inputs: dict
    rows: int
    answer: futures.Future
    arrived: float


class Batcher:
    """One queue and one thread, for one signature.

    Args:
        run: Name -> rows to name -> rows.
        max_rows: Most rows of a batch.
        wait: Seconds that the first request waits for others.
        max_waiting: Most batches in the queue.
        running: Semaphore that counts batches of all signatures.
    """

    def __init__(self, run: Callable, max_rows: int, wait: float,
                 max_waiting: int, running: threading.Semaphore):
        self.run, self.max_rows, self.wait = run, max_rows, wait
        self.max_waiting, self.running = max_waiting * max_rows, running
        self.tasks, self.changed = collections.deque(), threading.Condition()
        self.stopped = False
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def __call__(self, inputs: dict) -> dict:
        rows = count_rows(inputs)
        if rows > self.max_rows:
            raise invalid(f"Task size {rows} was larger than maximum batch "
                          f"size {self.max_rows}")
        task = Task(inputs, rows, futures.Future(), time.monotonic())
        with self.changed:
            if rows + self._waiting() > self.max_waiting:
                raise Failed(
                    grpc.StatusCode.UNAVAILABLE, "The batch scheduling queue "
                    "to which this task was submitted is full")
            self.tasks.append(task)
            self.changed.notify()
        return task.answer.result()

    def stop(self) -> None:
        """Ends, after all that waits was answered."""
        with self.changed:
            self.stopped = True
            self.changed.notify()
        self.thread.join()

    def _waiting(self):
        return sum(task.rows for task in self.tasks)

    def _work(self):
        while batch := self._next():
            with self.running:
                try:
                    answers = self._answer(batch)
                except Exception as error:  # Of all, as the real server.
                    for task in batch:
                        task.answer.set_exception(error)
                else:
                    for task, answer in zip(batch, answers):
                        task.answer.set_result(answer)

    def _next(self):
        """The tasks of a batch; none at the end."""
        with self.changed:
            while True:
                left = None
                if self.tasks:
                    left = self.tasks[0].arrived + self.wait - time.monotonic()
                    if left <= 0 or self._waiting() >= self.max_rows:
                        break
                if self.stopped:
                    break
                self.changed.wait(left)
            batch, rows = [], 0
            while self.tasks and rows + self.tasks[0].rows <= self.max_rows:
                batch.append(self.tasks.popleft())
                rows += batch[-1].rows
            return batch

    def _answer(self, batch):
        joined = {}
        for name in batch[0].inputs:
            parts = [task.inputs[name] for task in batch]
            if len({part.shape[1:] for part in parts}) > 1:
                raise Failed(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Tensors with name '{name}' from different tasks have "
                    "different shapes and padding is turned off.")
            joined[name] = np.concatenate(parts)
        outputs = self.run(joined)
        ends = np.cumsum([task.rows for task in batch])
        return [{name: value[end - task.rows:end]
                 for name, value in outputs.items()}
                for task, end in zip(batch, ends)]
