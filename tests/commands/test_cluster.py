"""Workers on several machines: what describes them, and real processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import types

from PIL import Image
import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import train
from lebm_tf.devices import cluster, strategies
from lebm_tf.errors import InputError
from tests.commands.conftest import call

SMOKE = "--flagfile=configs/smoke/image.cfg"
WORKERS = {"worker": ["a:1", "b:2"]}


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def described(cluster_of, job, index):
    return json.dumps({"cluster": cluster_of,
                       "task": {"type": job, "index": index}})


def test_tf_config_names_the_task_and_its_peers():
    cluster_of = {"chief": ["c:3"], **WORKERS}
    task = cluster.from_tf_config(described(cluster_of, "worker", "1"))
    assert task == cluster.Task(cluster_of, "worker", 1)
    assert task.address == "b:2"
    assert [peer.name for peer in task.peers] == ["chief 0", "worker 0"]
    resolver = task.resolver()
    assert resolver.cluster_spec().as_dict() == cluster_of
    assert (resolver.task_type, resolver.task_id) == ("worker", 1)


@pytest.mark.parametrize("job, index, chief", [
    ("worker", 0, True), ("worker", 1, False)])
def test_the_first_worker_is_chief_where_there_is_no_other(job, index, chief):
    for cluster_of, expected in ((WORKERS, chief),
                                 ({"chief": ["c:3"], **WORKERS}, False)):
        resolver = cluster.Task(cluster_of, job, index).resolver()
        assert cluster.is_chief(types.SimpleNamespace(
            cluster_resolver=resolver)) == expected
    assert cluster.is_chief(tf.distribute.get_strategy())
    assert cluster.is_chief(strategies.mirrored(2))


@pytest.mark.parametrize("text, needed", [
    (None, "$TF_CONFIG must describe the cluster, got none"),
    ("{worker: 0}", "$TF_CONFIG must be JSON, got '{worker: 0}'"),
    ("[1]", '$TF_CONFIG must have a "cluster"'),
    ('{"cluster": {}}', '$TF_CONFIG must have a "cluster"'),
    (json.dumps({"cluster": WORKERS}), '$TF_CONFIG must have a "task"'),
    (described(WORKERS, "worker", "x"), "must be an integer, got 'x'"),
    (described(WORKERS, "worker", 2),
     "must be one of its cluster, got worker 2 of 2 of worker"),
    (described(WORKERS, "chief", 0),
     "must be one of its cluster, got chief 0 of 2 of worker"),
    (described({"ps": ["a:1"]}, "ps", 0),
     "must be among chief, worker, got 'ps'"),
    (described({"chief": ["a:1", "b:1"]}, "chief", 0), "must name one chief"),
    (described({"worker": ["a:1", "a:1"]}, "worker", 0), "must differ"),
    (described({"worker": ["a"]}, "worker", 0), "must be host:port, got 'a'"),
    (described({"worker": ["a:70000"]}, "worker", 0), "must be host:port"),
    (described({"worker": []}, "worker", 0), "must list the addresses")])
def test_a_wrong_tf_config_is_refused_in_one_line(
        text, needed, refused, monkeypatch, tmp_path):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    assert needed in refused(train, SMOKE, "--strategy=multi_worker",
                             f"--workdir={tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


def test_an_unreachable_peer_is_named(refused, monkeypatch, tmp_path):
    own, other = free_ports(2)
    monkeypatch.setenv("TF_CONFIG", described(
        {"worker": [f"127.0.0.1:{own}", f"127.0.0.1:{other}"]}, "worker", 0))
    line = refused(train, SMOKE, "--strategy=multi_worker",
                   "--cluster_timeout=0.5", f"--workdir={tmp_path / 'run'}")
    assert (f"worker 1 at 127.0.0.1:{other} could not be reached within "
            "0.5 s: Connection refused") in line
    assert not (tmp_path / "run").exists()


def test_a_port_that_is_taken_is_refused():
    with socket.socket() as holder:
        holder.bind(("", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        with pytest.raises(InputError, match="must be free"):
            cluster.wait_for_peers(
                cluster.Task({"worker": [address]}, "worker", 0), 1.0)


def test_peers_that_come_up_one_by_one_find_each_other():
    tasks = [f"127.0.0.1:{port}" for port in free_ports(3)]
    done = []

    def come_up(index):
        time.sleep(0.2 * index)
        task = cluster.Task({"worker": tasks}, "worker", index)
        cluster.wait_for_peers(task, 20.0)
        # As the training does: what answered goes on answering.
        with socket.create_server(("", int(task.address.split(":")[1]))):
            done.append(index)
            while len(done) < 3:
                time.sleep(0.05)
    threads = [threading.Thread(target=come_up, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert sorted(done) == [0, 1, 2]


def test_slurm_says_who_this_is(monkeypatch):
    for name, value in (("PROCID", "2"), ("STEP_NUM_TASKS", "3"),
                        ("STEP_NODELIST", "node[1-2]"),
                        ("STEP_TASKS_PER_NODE", "2,1")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    task = cluster.from_slurm()
    assert task == cluster.Task({"worker": [
        "node1:8888", "node1:8889", "node2:8888"]}, "worker", 2)
    monkeypatch.delenv("SLURM_PROCID")
    with pytest.raises(InputError, match="by srun, got no .SLURM_PROCID"):
        cluster.from_slurm()


def pods(*phases):
    listed = [types.SimpleNamespace(
        metadata=types.SimpleNamespace(name=f"pod-{i}"),
        status=types.SimpleNamespace(phase=phase, host_ip=f"10.0.0.{i}"))
        for i, phase in enumerate(phases)]
    return types.SimpleNamespace(
        list_pod_for_all_namespaces=lambda label_selector:
        types.SimpleNamespace(items=listed))


def test_kubernetes_says_who_this_is():
    client = pods("Running", "Running")
    task = cluster.from_kubernetes("app=x", 2, "10.0.0.1", 1.0, client)
    assert task == cluster.Task({"worker": [
        "10.0.0.0:8470", "10.0.0.1:8470"]}, "worker", 1)
    for message, arguments in (
            ("3 pods must run with the label app=x, got 2 after 0.1 s",
             (3, "10.0.0.1", 0.1, client)),
            ('Pod "pod-1" is not running',
             (2, "10.0.0.1", 0.1, pods("Running", "Pending"))),
            ("NODE_IP must be .* among 10.0.0.0, 10.0.0.1; got None",
             (2, None, 0.1, client))):
        with pytest.raises(InputError, match=message):
            cluster.from_kubernetes("app=x", *arguments)


def test_the_manifest_starts_a_run_that_its_replicas_can_share():
    with open("docs/tfjob.json", encoding="utf-8") as file:
        job = json.load(file)
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "TFJob")
    specs = job["spec"]["tfReplicaSpecs"]
    assert set(specs) == {"Chief", "Worker"}  # The jobs that we know.
    commands = []
    for spec in specs.values():
        container, = spec["template"]["spec"]["containers"]
        assert container["name"] == "tensorflow"  # As the operator asks.
        assert container["ports"][0]["name"] == "tfjob-port"
        mounted = {mount["name"] for mount in container.get(
            "volumeMounts", ())}
        assert mounted == {volume["name"] for volume in spec["template"][
            "spec"].get("volumes", ())}
        commands.append(container["command"] + container["args"])
    assert commands[0] == commands[1]
    assert commands[0][:3] == ["python", "-m", "lebm_tf.train"]
    flagfile, *flags = commands[0][3:]
    run, *_ = lebm_tf.from_flagfile(flagfile.split("=")[1], *flags)
    assert run.devices.strategy == "multi_worker"
    assert run.devices.cluster == "tf_config"
    assert run.batch_size % sum(
        spec["replicas"] for spec in specs.values()) == 0


class Workers:
    """Two real processes of one run."""

    def __init__(self, *flags):
        addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
        environment = {
            **os.environ, "CUDA_VISIBLE_DEVICES": "-1",
            # Sums in one order, as in this process. (One thread between
            # operations too, and two workers wait for each other forever.)
            "TF_NUM_INTRAOP_THREADS": "1"}
        environment.pop("TF_CPP_MIN_LOG_LEVEL")
        self.processes = [subprocess.Popen(
            [sys.executable, "-m", "lebm_tf.train", SMOKE, *flags,
             "--strategy=multi_worker", "--cluster_timeout=60"],
            env={**environment, "TF_CONFIG": described(
                {"worker": addresses}, "worker", i)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for i in range(2)]
        # Whatever hangs, also in TensorFlow's own code, ends here.
        self.timer = threading.Timer(240.0, self.kill)
        self.timer.start()

    def kill(self):
        for process in self.processes:
            process.kill()

    def end(self):
        """(exit code, output, errors) of each."""
        found = [(p.returncode, out, err) for p, (out, err) in (
            (p, p.communicate()) for p in self.processes)]
        self.timer.cancel()
        return found


@pytest.mark.slow
def test_two_workers_end_as_two_replicas_also_if_one_was_killed(tmp_path):
    """Worker 1 is killed in mid-run: the chief stops and names it. Started
    again, both go on from the chief's checkpoint, and the weights and banks
    are those of two replicas in one process, bit for bit."""
    flags = ["--train_steps=150", "--checkpoint_every=10", "--log_every=10",
             "--prior_start=bank", "--prior_bank_size=20",
             "--evaluators=reconstruction"]
    path = tmp_path / "two"
    workers = Workers(*flags, f"--workdir={path}")
    until = time.monotonic() + 200.0
    while not (path / "checkpoints" / "ckpt-10.index").exists():
        assert workers.processes[0].poll() is None, workers.end()
        assert time.monotonic() < until
        time.sleep(0.02)
    workers.processes[1].send_signal(signal.SIGKILL)
    (code, _, errors), (killed, *_) = workers.end()
    assert (code, killed) == (1, -signal.SIGKILL), errors
    assert re.fullmatch(
        r"error: worker 1 at 127.0.0.1:\d+ was lost, so this process stops\. "
        r".*",
        errors.strip().splitlines()[-1]), errors
    assert not (path / "checkpoints" / "ckpt-150.index").exists()

    (code, output, errors), (other, silence, _) = Workers(
        *flags, f"--workdir={path}").end()
    assert (code, other) == (0, 0), errors
    assert "metrics.json" in output and not silence
    assert call(train, SMOKE, *flags, f"--workdir={tmp_path / 'one'}",
                "--strategy=mirrored", "--replicas=2") == 0
    one, two = (lebm_tf.load(str(tmp_path / name)) for name in ("one", "two"))
    assert int(one.step) == int(two.step) == 150
    for part in one.parts:
        for a, b in zip(one.variables_of(part), two.variables_of(part)):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        one.banks[0].positions[0], two.banks[0].positions[0])
    rows = json.loads((path / "history.json").read_text())
    assert [row["step"] for row in rows] == list(range(10, 151, 10))


@pytest.mark.slow
@pytest.mark.long
def test_two_workers_train_on_a_folder_from_disk_as_one_process(tmp_path):
    """Each decodes its own half of every batch; tests/datasets has which."""
    numbers = np.random.RandomState(0)
    (tmp_path / "images").mkdir()
    for i in range(30):
        Image.fromarray(numbers.randint(0, 256, [8, 8, 3]).astype(
            np.uint8)).save(tmp_path / "images" / f"{i}.png")
    flags = [f"--dataset=folder:{tmp_path}/images", "--image_size=8",
             "--max_memory_gb=0", "--train_steps=9", "--checkpoint_every=9",
             "--log_every=3", "--evaluators=reconstruction"]
    found = Workers(*flags, f"--workdir={tmp_path / 'two'}").end()
    assert [code for code, *_ in found] == [0, 0], found[0][2]
    assert call(train, SMOKE, *flags, f"--workdir={tmp_path / 'one'}",
                "--strategy=mirrored", "--replicas=2") == 0
    one, two = (lebm_tf.load(str(tmp_path / name)) for name in ("one", "two"))
    for part in one.parts:
        for a, b in zip(one.variables_of(part), two.variables_of(part)):
            np.testing.assert_array_equal(a, b)
