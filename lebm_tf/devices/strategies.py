"""On how many devices a run trains: tf.distribute, chosen by flags."""

import functools
import os

import tensorflow as tf

from lebm_tf.configuration.run import RunConfig
from lebm_tf.devices import cluster
from lebm_tf.errors import InputError


def make(run: RunConfig) -> tf.distribute.Strategy:
    """The strategy of a run, the same object for equal flags.

    Call it before anything runs in TensorFlow: how many devices a CPU counts
    as is settled then.

    Raises:
        InputError: If there are fewer devices than replicas, the other
            workers can't be found, or the batch can't be cut into equal
            pieces.
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


# TensorFlow can neither start a second server for a worker, nor tell the
# messages of two strategies on the same devices apart.
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
        num_replicas: How many; 0 takes all visible GPUs, or one CPU. Without
            a GPU they share the cores of the CPU.

    Raises:
        InputError: If there are fewer GPUs, or TensorFlow has started
            already and its CPU counts as fewer devices.
    """
    # Not the logical ones: to list them starts TensorFlow.
    if tf.config.list_physical_devices("GPU"):
        gpus = tf.config.list_logical_devices("GPU")
        if num_replicas > len(gpus):
            raise InputError(f"--replicas must be at most {len(gpus)}, the "
                             f"number of visible GPUs, got {num_replicas}.")
        return tf.distribute.MirroredStrategy(
            [gpu.name for gpu in gpus[:num_replicas or None]])
    cpus = _logical_cpus(num_replicas or 1)
    # Collectives of CPUs are told apart by numbers that start anew with every
    # strategy of a process: a second one fails, its shapes taken for those of
    # the first. Adding up on one device has no such numbers.
    return tf.distribute.MirroredStrategy(
        cpus, tf.distribute.ReductionToOneDevice())


def multi_worker(kind: str = "tf_config", timeout: float = 300.0,
                 selector: str = "", num_workers: int = 1
                 ) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Replicas on the GPUs of several machines, or one on the CPU of each.

    Args:
        kind: Who knows the workers: tf_config, slurm or kubernetes.
        timeout: Seconds to wait for the other workers.
        selector, num_workers: As of `cluster.from_kubernetes`.

    Raises:
        InputError: If the description of the cluster is wrong, or a worker
            can't be reached.
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
        except RuntimeError:  # TensorFlow has started; what it has must do.
            pass
    cpus = [cpu.name for cpu in tf.config.list_logical_devices("CPU")]
    if len(cpus) < number:
        raise InputError(
            f"--replicas must be at most {len(cpus)}, as TensorFlow has "
            f"started with so many devices, got {number}.")
    return cpus[:number]
