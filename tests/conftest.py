"""How every test runs: one thread, two logical CPUs, no retries of luck."""

import collections
import ctypes
import fcntl
import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import lebm_tf  # noqa: E402, F401  # isort: skip  # Before TensorFlow.
import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import tensorflow as tf  # noqa: E402

from tests import oracles  # noqa: E402

# Sums are done in one order, so equal runs are equal bit for bit.
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
# The second device is for MirroredStrategy; nothing else uses it.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2)

hypothesis.settings.register_profile(
    "lebm_tf", deadline=None, derandomize=True, database=None,
    max_examples=12)
hypothesis.settings.load_profile("lebm_tf")


def pytest_collection_modifyitems(items):
    """Files with slow or many tests come first, so that no process is left
    alone with one of them at the end."""
    count = collections.Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (
        item.path not in slow, -count[item.path], item.path))


def pytest_collection_finish():
    """What imports made stays: the collector looks at it no more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="module", autouse=True)
def memory(request):
    """After a file what it kept is given back: models that its functions
    cached, and pages that the allocator holds. What survives is looked at no
    more, or every collection would take as long as all of them so far."""
    yield
    for value in vars(request.module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
    gc.collect()
    gc.freeze()
    ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Gives (name, make) -> a folder that the first process of this run to
    ask for it fills by `make(folder)`; nobody writes to it afterwards."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # That of all processes.

    def folder(name, make):
        path, done = root / name, root / f"{name}.done"
        with open(root / f"{name}.lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                path.mkdir()
                make(path)
                done.touch()
        return path
    return folder


@pytest.fixture
def float64():
    """Layers made in the test compute in float64."""
    with oracles.precision("float64"):
        yield


@pytest.fixture
def numbers():
    """Numbers of this test alone, for data that it makes up."""
    return np.random.RandomState(0)


@pytest.fixture(scope="session")
def two_replicas():
    """A strategy of two replicas on one CPU."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
