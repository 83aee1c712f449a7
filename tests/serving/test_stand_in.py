"""What the stand-in server promises, and how the client waits for a server."""

from concurrent import futures
from http import server
import os
import threading
import time

import grpc
import numpy as np
import pytest

from tests.serving.servers import connections
from tests.serving.stand_in.batching import Batcher, Failed
from tests.serving.stand_in.versions import Model, State, Version


class Doubler:
    """Notes the rows of every batch; may be held back."""

    def __init__(self):
        self.rows = []
        self.free, self.busy = threading.Event(), threading.Event()

    def __call__(self, inputs):
        self.busy.set()
        assert self.free.wait(60)
        self.rows.append(len(inputs["x"]))
        return {"y": 2 * inputs["x"]}


def at_once(batcher, requests):
    """The answer, or the code of the error, of each request."""
    def ask(x):
        try:
            return batcher({"x": x})["y"]
        except Failed as error:
            return error.code
    with futures.ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(ask, requests))


@pytest.fixture
def doubler():
    made = Doubler()
    made.free.set()
    return made


def make_batcher(run, max_rows=16, wait=2.0, max_waiting=4):
    return Batcher(run, max_rows, wait, max_waiting, threading.Semaphore())


def test_requests_are_joined_and_everyone_gets_their_own_rows(doubler):
    requests = [np.arange(i, i + rows) for i, rows in enumerate((1, 4, 2, 9))]
    batcher = make_batcher(doubler)
    for x, y in zip(requests, at_once(batcher, requests)):
        np.testing.assert_array_equal(y, 2 * x)
    assert doubler.rows == [16]  # Full before two seconds are over.
    batcher.stop()
    assert not batcher.thread.is_alive()


def test_a_batch_never_has_more_rows_than_allowed(doubler):
    requests = [np.arange(5)] * 9
    batcher = make_batcher(doubler, wait=0.05)
    answers = at_once(batcher, requests)
    np.testing.assert_array_equal(answers, [2 * np.arange(5)] * 9)
    assert max(doubler.rows) <= 16 and sum(doubler.rows) == 45
    codes = at_once(batcher, [np.arange(17), np.array(3)])
    assert codes == [grpc.StatusCode.INVALID_ARGUMENT] * 2
    batcher.stop()


def test_rows_of_two_shapes_fail_the_batch_as_in_the_real_server(doubler):
    codes = at_once(make_batcher(doubler, max_rows=2), [
        np.zeros([1, 2]), np.zeros([1, 3])])
    assert codes == [grpc.StatusCode.FAILED_PRECONDITION] * 2
    assert not doubler.rows


def test_a_full_queue_refuses_and_what_waits_is_answered():
    doubler = Doubler()
    batcher = make_batcher(doubler, max_rows=1, max_waiting=2)
    with futures.ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(batcher, {"x": np.array([0])})]
        assert doubler.busy.wait(60)
        waiting += [threads.submit(batcher, {"x": np.array([i])})
                    for i in (1, 2)]
        until(lambda: len(batcher.tasks) == 2)
        with pytest.raises(Failed, match="queue .* is full") as failed:
            batcher({"x": np.array([9])})
        doubler.free.set()
        assert [one.result(60)["y"] for one in waiting] == [0, 2, 4]
    assert failed.value.code == grpc.StatusCode.UNAVAILABLE
    batcher.stop()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_warm_up_requests_are_replayed(exported):
    version = Version(exported.path, 1, (1, 1))
    assert version.num_replayed == len(exported.servable.signatures)
    version.close()


class Loaded:
    """In the place of a version."""

    def __init__(self, path, number):
        if not os.listdir(path):
            raise OSError("nothing in it")
        self.number, self.users, self.is_closed = number, 0, False

    def close(self):
        self.is_closed = True


def test_the_old_version_ends_its_work_and_a_broken_one_changes_nothing(
        tmp_path):
    model = Model("m", tmp_path, Loaded, 0.01)
    watching = threading.Thread(target=model.watch, daemon=True)
    watching.start()
    with pytest.raises(Failed, match=r"Latest\(m\)"), model.use("m"):
        pass

    def add(number, is_whole=True):
        (tmp_path / ".part").mkdir()
        if is_whole:
            (tmp_path / ".part" / "file").touch()
        (tmp_path / ".part").rename(tmp_path / str(number))

    def state(number):
        return model.states.get(number, [None])[0]

    add(1)
    until(lambda: state(1) == State.AVAILABLE)
    with model.use("m") as old:
        add(10)
        until(lambda: state(1) == State.UNLOADING)
        with model.use("m", 10) as new:
            assert new.number == 10
        assert not old.is_closed
    until(lambda: state(1) == State.END)
    assert old.is_closed
    add(11, is_whole=False)
    until(lambda: state(11) == State.END)
    assert [one.status.error_message for one in model.statuses("m", 11)
            ] == ["nothing in it"]
    with model.use("m") as version:
        assert version.number == 10
    model.stopped.set()
    watching.join(60)
    assert not watching.is_alive()


class Busy(server.BaseHTTPRequestHandler):
    """Answers 503 twice, and then something."""
    count = 0

    def do_GET(self):
        type(self).count += 1
        body = b'{"metadata": {"signature_def": {"signature_def": {}}}}'
        self.send_response(503 if self.count < 3 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Nothing."""


def test_the_client_comes_back_to_a_busy_server():
    busy = server.HTTPServer(("localhost", 0), Busy)
    threading.Thread(target=busy.serve_forever, daemon=True).start()
    rest = connections.connect(f"http://localhost:{busy.server_port}", "m")
    with pytest.raises(connections.NoAnswer, match="^503 "):
        connections.patiently(rest.metadata, 60, 0)
    assert connections.patiently(rest.metadata, 60, 1) == {}
    assert Busy.count == 3
    busy.shutdown()
    busy.server_close()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_the_client_gives_up_in_time_where_nobody_answers(scheme):
    made = connections.connect(f"{scheme}://localhost:9", "m")
    start = time.monotonic()
    with pytest.raises(connections.NoAnswer, match="refused"):
        connections.patiently(made.metadata, 1, 1000)
    assert time.monotonic() - start < 3


def test_the_client_does_not_repeat_what_was_refused():
    calls = []

    def call(left):
        calls.append(left)
        raise connections.Refused("no")

    with pytest.raises(connections.Refused):
        connections.patiently(call, 60, 5)
    assert len(calls) == 1 and 0 < calls[0] <= 60
