"""How every test runs: one thread, two logical CPUs, no retries of luck."""

import ctypes
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


@pytest.fixture(scope="module", autouse=True)
def memory(request):
    """After a file what it kept is given back: models that its functions
    cached, and pages that the allocator holds."""
    yield
    for value in vars(request.module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


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
