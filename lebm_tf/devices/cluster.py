"""Workers of a run on several machines: discovery and reachability. See
docs/cluster.md."""

import contextlib
import dataclasses
import json
import os
import re
import socket
import time
from typing import Any, Iterator

import tensorflow as tf

from lebm_tf.errors import ClusterError, InputError

JOBS = ("chief", "worker")
_PAUSE = 0.3  # Seconds between two attempts.
# TensorFlow's errors for a lost worker, depending on what notices it first.
_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError,
         tf.errors.CancelledError, tf.errors.DeadlineExceededError,
         tf.errors.FailedPreconditionError)


@dataclasses.dataclass(frozen=True)
class Task:
    """One process of a cluster.

    Attributes:
        cluster: Job -> addresses "host:port" of its tasks.
        job: "chief" or "worker".
        index: Index within the job, from 0.
    """
    cluster: dict[str, list[str]]
    job: str
    index: int

    @property
    def name(self) -> str:
        return f"{self.job} {self.index}"

    @property
    def address(self) -> str:
        return self.cluster[self.job][self.index]

    @property
    def peers(self) -> list["Task"]:
        """All other tasks."""
        return [task for job in sorted(self.cluster)
                for task in (Task(self.cluster, job, i)
                             for i in range(len(self.cluster[job])))
                if task != self]

    def resolver(self) -> tf.distribute.cluster_resolver.ClusterResolver:
        """TensorFlow's resolver for this task, with the visible GPUs."""
        gpus = len(tf.config.list_physical_devices("GPU"))
        return tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(self.cluster), task_type=self.job,
            task_id=self.index, num_accelerators={"GPU": gpus},
            rpc_layer="grpc")


def from_tf_config(text: str | None) -> Task:
    """The task described by $TF_CONFIG, in TensorFlow's format.

    Args:
        text: {"cluster": {"worker": ["host:port", ...]}, "task": {"type":
            "worker", "index": 0}} as JSON; "cluster" may also have a "chief".

    Raises:
        InputError: If the text is anything else.
    """
    if not text:
        raise InputError("$TF_CONFIG must describe the cluster, got none; see "
                         "docs/cluster.md.")
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"$TF_CONFIG must be JSON, got {text[:80]!r}: {error}.") from error
    cluster = value.get("cluster") if isinstance(value, dict) else None
    task = value.get("task") if isinstance(value, dict) else None
    if not isinstance(cluster, dict) or not cluster:
        raise InputError('$TF_CONFIG must have a "cluster" of job: [addresses]'
                         f", got {cluster!r}.")
    if not isinstance(task, dict) or not {"type", "index"} <= set(task):
        raise InputError('$TF_CONFIG must have a "task" with "type" and '
                         f'"index", got {task!r}.')
    try:
        index = int(task["index"])
    except (TypeError, ValueError) as error:
        raise InputError('the "index" of the "task" in $TF_CONFIG must be an '
                         f"integer, got {task['index']!r}.") from error
    return checked(Task(cluster, task["type"], index), "$TF_CONFIG")


def checked(task: Task, source: str) -> Task:
    """Returns the task after checking it and its cluster.

    Raises:
        InputError: If the task is not in its cluster, or an address is invalid.
    """
    for job, addresses in task.cluster.items():
        if job not in JOBS:
            raise InputError(f"the jobs of {source} must be among "
                             f"{', '.join(JOBS)}, got {job!r}.")
        if not isinstance(addresses, list) or not addresses:
            raise InputError(f"{source} must list the addresses of {job}, got "
                             f"{addresses!r}.")
        for address in addresses:
            _host_and_port(address, source)
    if len(task.cluster.get("chief", ())) > 1:
        raise InputError(f"{source} must name one chief, got "
                         f"{len(task.cluster['chief'])}.")
    everyone = sum(task.cluster.values(), [])
    if len(set(everyone)) < len(everyone):
        raise InputError(f"the addresses of {source} must differ, got "
                         f"{', '.join(everyone)}.")
    if not 0 <= task.index < len(task.cluster.get(task.job, ())):
        known = ", ".join(f"{len(addresses)} of {job}"
                          for job, addresses in sorted(task.cluster.items()))
        raise InputError(f"the task of {source} must be one of its cluster, "
                         f"got {task.name} of {known}.")
    return task


def from_slurm() -> Task:
    """The task of this process in a Slurm step, from Slurm's variables.

    TensorFlow's resolver provides the addresses. Its count of GPUs is not used:
    it needs nvidia-smi on every node, and `srun --gpus-per-task` hides the GPUs
    of other tasks anyway.

    Raises:
        InputError: If the process is not part of a Slurm step.
    """
    missing = [name for name in ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS",
                                 "SLURM_STEP_NODELIST",
                                 "SLURM_STEP_TASKS_PER_NODE")
               if name not in os.environ]
    if missing:
        raise InputError("--cluster=slurm must be started by srun, got no $"
                         f"{missing[0]}.")
    tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False)
    cluster = resolver.cluster_spec().as_dict()  # Also determines the task.
    return checked(Task(cluster, *resolver.get_task_info()), "Slurm")


def from_kubernetes(selector: str, num_workers: int, own_ip: str | None,
                    timeout: float, client: Any = None) -> Task:
    """The task of this pod among those with a label.

    TensorFlow's resolver returns the address of the node of each pod, so pods
    must use the host network, one per node.

    Args:
        selector: Label selector of all workers.
        num_workers: Expected number of workers; they may start one by one.
        own_ip: Address of this pod's node.
        timeout: Seconds to wait for the workers.
        client: Kubernetes's CoreV1Api; default: one for this cluster.

    Raises:
        InputError: If the workers do not start in time, or this pod is not one
            of them.
    """
    if client is None:
        client = _kubernetes_client()
    resolver = tf.distribute.cluster_resolver.KubernetesClusterResolver(
        {"worker": [selector]}, override_client=client)
    until, reason = time.monotonic() + timeout, ""
    while True:
        try:
            addresses = resolver.cluster_spec().as_dict().get("worker", [])
            reason = f"got {len(addresses)} after {timeout:g} s"
            if len(addresses) == num_workers:
                break
        except RuntimeError as error:  # A pod does not run yet.
            reason = str(error)
        if time.monotonic() > until:
            raise InputError(f"{num_workers} pods must run with the label "
                             f"{selector}, {reason}.")
        time.sleep(_PAUSE)
    hosts = [address.rsplit(":", 1)[0] for address in addresses]
    if own_ip not in hosts:
        raise InputError("$NODE_IP must be the address of the node of a pod "
                         f"with the label {selector}, among "
                         f"{', '.join(hosts)}; got {own_ip}.")
    return checked(Task({"worker": addresses}, "worker",
                        hosts.index(own_ip)), "Kubernetes")


def wait_for_peers(task: Task, timeout: float) -> None:
    """Waits until every other task can be reached.

    TensorFlow itself would wait forever, and not report the missing task. While
    waiting, this task listens on its own port, since the others do the same.

    Args:
        task: This task.
        timeout: Seconds to wait.

    Raises:
        InputError: If a task cannot be reached in time, or the port is in use.
    """
    port = _host_and_port(task.address, "the cluster")[1]
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("", port))
        except OSError as error:
            raise InputError(f"the port of {task.name}, {task.address}, must "
                             f"be free: {error.strerror}.") from error
        listener.listen()
        until = time.monotonic() + timeout
        for peer in task.peers:
            _wait_for(peer, until, timeout)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes the results; exactly one process does."""
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict():
        return True
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (first, 0)


@contextlib.contextmanager
def watched(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Reports the loss of another worker in one line, with its name.

    Raises:
        ClusterError: In place of TensorFlow's error.
    """
    resolver = strategy.cluster_resolver
    try:
        yield
    except _LOST as error:
        if resolver is None:
            raise
        found = re.search(r"/job:(\w+)/replica:\d+/task:(\d+)", str(error))
        who = "another worker"
        if found:
            address = resolver.cluster_spec().task_address(
                found[1], int(found[2]))
            who = f"{found[1]} {found[2]} at {address}"
        raise ClusterError(
            f"{who} was lost, so this process stops. Start all workers again "
            "with the same command to continue from the newest checkpoint."
        ) from error


def _kubernetes_client():
    try:
        import kubernetes
    except ImportError as error:
        raise InputError("--cluster=kubernetes needs the package kubernetes: "
                         "pip install kubernetes.") from error
    try:
        kubernetes.config.load_incluster_config()
    except kubernetes.config.ConfigException as error:
        raise InputError(f"--cluster=kubernetes must run in a pod: {error}."
                         ) from error
    return kubernetes.client.CoreV1Api()


def _host_and_port(address: Any, source: str) -> tuple[str, int]:
    found = re.fullmatch(r"\[?([^\[\]\s]+?)\]?:(\d{1,5})", str(address))
    if not found or not 0 < int(found[2]) < 2**16:
        raise InputError(f"an address of {source} must be host:port, got "
                         f"{address!r}.")
    return found[1], int(found[2])


def _wait_for(peer: Task, until: float, timeout: float) -> None:
    while True:
        try:
            socket.create_connection(_host_and_port(
                peer.address, "the cluster"), timeout=5.0).close()
            return
        except OSError as error:
            if time.monotonic() > until:
                raise InputError(
                    f"{peer.name} at {peer.address} could not be reached "
                    f"within {timeout:g} s: {error.strerror or error}."
                    ) from error
        time.sleep(_PAUSE)
