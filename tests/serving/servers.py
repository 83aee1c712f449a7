"""Starts a server of a folder: the real one if it is installed."""

import base64
import contextlib
import importlib.util
import pathlib
import shutil
import socket
import subprocess
import sys
import time
from typing import NamedTuple
import urllib.error
import urllib.request

import numpy as np

KIT = pathlib.Path(__file__).parents[2] / "export"
REAL = shutil.which("tensorflow_model_server")


def _of_kit(name):
    """A module of the kit, which is not installed."""
    spec = importlib.util.spec_from_file_location(name, KIT / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


connections, row_check = _of_kit("connections"), _of_kit("row_check")


def as_arrays(answer, expected):
    """What came through JSON, as the arrays that were sent."""
    def data(value):
        return base64.b64decode(value["b64"]) if isinstance(
            value, dict) else value.encode()
    return {name: np.array(
        [data(one) for one in value] if expected[name].dtype == object
        else value, expected[name].dtype) for name, value in answer.items()}


class Addresses(NamedTuple):
    """Of a running server, as client.py takes them."""
    grpc: str
    rest: str
    folder: pathlib.Path
    process: int


@contextlib.contextmanager
def running(folder, *flags):
    """A server of the newest version of `folder`, loaded; its addresses."""
    ports = _free_ports(2)
    program = [REAL] if REAL else [
        sys.executable, "-m", "tests.serving.stand_in"]
    process = subprocess.Popen([
        *program, f"--port={ports[0]}", f"--rest_api_port={ports[1]}",
        f"--model_name={folder.name}", f"--model_base_path={folder}",
        "--file_system_poll_wait_seconds=1",
        # Sums in one order: answers can be compared bit for bit.
        "--tensorflow_intra_op_parallelism=1",
        "--tensorflow_inter_op_parallelism=1", *flags],
        cwd=KIT.parent)
    addresses = Addresses(f"grpc://localhost:{ports[0]}",
                          f"http://localhost:{ports[1]}", folder, process.pid)
    try:
        _wait_until_loaded(f"{addresses.rest}/v1/models/{folder.name}/metadata",
                           process)
        yield addresses
    finally:
        process.terminate()
        code = process.wait(30)
    assert code == 0 or REAL


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait_until_loaded(url, process, seconds=120):
    end = time.monotonic() + seconds
    while True:
        assert process.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < end, "the server does not answer"
        time.sleep(0.2)
