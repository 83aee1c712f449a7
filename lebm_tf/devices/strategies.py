"""Distribution strategies of runs, chosen by flags."""

import functools
import os

import tensorflow as tf

from lebm_tf.configuration.run import RunConfig
from lebm_tf.devices import cluster
from lebm_tf.errors import InputError


def make(run: RunConfig) -> tf.distribute.Strategy:
    """The strategy of a run, the same object for equal flags.

    Call it before TensorFlow runs anything, because that fixes the number of
    logical devices of the CPU.

    Raises:
        InputError: If there are fewer devices than replicas, other workers
            cannot be reached, or the batch size is not divisible by the number
            of replicas.
    """
    chosen = run.devices
    strategy = _made(chosen.strategy, chosen.replicas, chosen.cluster,
                     chosen.cluster_timeout, chosen.cluster_selector,
                     chosen.cluster_workers)
    num_replicas = strategy.num_replicas_in_sync
    if run.batch_size % num_replicas:
        raise InputError(
            f"--batch_size must be a multiple of the {num_replicas} replicas, "
            f"got {run.batch_size}.")
    return strategy


# TensorFlow can neither start a second server for a worker, nor distinguish
# the messages of two strategies on the same devices.
@functools.cache
def _made(name, num_replicas, *where) -> tf.distribute.Strategy:
    if name == "mirrored":
        return mirrored(num_replicas)
    if name == "multi_worker":
        return multi_worker(*where)
    return tf.distribute.get_strategy()


def mirrored(num_replicas: int = 0) -> tf.distribute.MirroredStrategy:
    """Replicas on the devices of this machine.

    Args:
        num_replicas: Number of replicas; 0 for all visible GPUs, or one CPU.
            Without a GPU they share the cores of the CPU.

    Raises:
        InputError: If there are fewer GPUs, or TensorFlow has already started
            with fewer logical CPU devices.
    """
    # Physical devices, since listing logical ones starts TensorFlow.
    if tf.config.list_physical_devices("GPU"):
        gpus = tf.config.list_logical_devices("GPU")
        if num_replicas > len(gpus):
            raise InputError(f"--replicas must be at most {len(gpus)}, the "
                             f"number of visible GPUs, got {num_replicas}.")
        return tf.distribute.MirroredStrategy(
            [gpu.name for gpu in gpus[:num_replicas or None]])
    cpus = _logical_cpus(num_replicas or 1)
    # Collectives of CPUs are identified by numbers that restart with every
    # strategy of a process, so a second strategy would fail with the shapes of
    # the first. Reduction to one device has no such numbers.
    return tf.distribute.MirroredStrategy(
        cpus, tf.distribute.ReductionToOneDevice())


def multi_worker(kind: str = "tf_config", timeout: float = 300.0,
                 selector: str = "", num_workers: int = 1
                 ) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Replicas on the GPUs of several machines, or one on the CPU of each.

    Args:
        kind: Source of the cluster description: tf_config, slurm or kubernetes.
        timeout: Seconds to wait for the other workers.
        selector, num_workers: As in `cluster.from_kubernetes`.

    Raises:
        InputError: If the description of the cluster is invalid, or a worker
            cannot be reached.
    """
    if kind == "tf_config":
        task = cluster.from_tf_config(os.environ.get("TF_CONFIG"))
    elif kind == "slurm":
        task = cluster.from_slurm()
    else:
        task = cluster.from_kubernetes(
            selector, num_workers, os.environ.get("NODE_IP"), timeout)
    cluster.wait_for_peers(task, timeout)
    return tf.distribute.MultiWorkerMirroredStrategy(task.resolver())


def _logical_cpus(number: int) -> list[str]:
    physical = tf.config.list_physical_devices("CPU")[:1]
    if tf.config.get_logical_device_configuration(physical[0]) is None:
        try:
            tf.config.set_logical_device_configuration(
                physical[0], [tf.config.LogicalDeviceConfiguration()] * number)
        except RuntimeError:  # TensorFlow has started, with fixed devices.
            pass
    cpus = [cpu.name for cpu in tf.config.list_logical_devices("CPU")]
    if len(cpus) < number:
        raise InputError(
            f"--replicas must be at most {len(cpus)}, the number of devices "
            f"that TensorFlow has started with, got {number}.")
    return cpus[:number]
