"""Every file of the deployment kit is read by what it is written for."""

import pathlib
import re
import subprocess
import sys

from google.protobuf import text_format
import pytest
from tensorflow_serving.config import model_server_config_pb2
import yaml

from lebm_tf.serving import ServingConfig
from tests.serving.server_protos import BatchingParameters, MonitoringConfig

KIT = pathlib.Path(__file__).parents[2] / "export"
METRICS = "/monitoring/prometheus/metrics"
METADATA = "/v1/models/digits/metadata"


def text(name):
    return (KIT / name).read_text(encoding="utf-8")


def message(name, kind):
    return text_format.Parse(text(name), kind())


def documents():
    return {one["kind"]: one for one in yaml.safe_load_all(
        text("kubernetes.yaml"))}


def container():
    spec = documents()["Deployment"]["spec"]["template"]["spec"]
    return spec, spec["containers"][0]


def test_the_models_are_a_configuration_of_the_server():
    config = message("models.config",
                     model_server_config_pb2.ModelServerConfig)
    model, = config.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == (
        "digits", "/models/digits", "tensorflow")
    assert model.model_version_policy.latest.num_versions == 1


def test_no_joined_batch_is_longer_than_a_model_takes():
    config = message("batching.config", BatchingParameters)
    assert 1 <= config.max_batch_size.value <= ServingConfig().max_batch
    assert config.batch_timeout_micros.value > 0
    assert config.max_enqueued_batches.value > 0
    assert config.num_batch_threads.value > 0


def test_figures_are_where_prometheus_asks_for_them():
    config = message("monitoring.config", MonitoringConfig).prometheus_config
    assert config.enable and config.path == METRICS
    job, = yaml.safe_load(text("prometheus.yml"))["scrape_configs"]
    assert job["metrics_path"] == METRICS
    assert job["static_configs"] == [{"targets": ["serving:8501"]}]
    pod = documents()["Deployment"]["spec"]["template"]["metadata"]
    assert pod["annotations"]["prometheus.io/path"] == METRICS


def test_settings_that_do_not_exist_are_refused():
    """The messages above are no bags of any names."""
    for kind in (BatchingParameters, MonitoringConfig):
        with pytest.raises(text_format.ParseError, match="no field named"):
            text_format.Parse("max_batch: 1", kind())


def test_compose_starts_a_pinned_server_with_the_files_of_the_kit():
    services = yaml.safe_load(text("docker-compose.yml"))["services"]
    serving = services["serving"]
    assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", serving["image"])
    assert re.fullmatch(r"prom/prometheus:v\d+\.\d+\.\d+",
                        services["prometheus"]["image"])
    mounts = [tuple(volume.rsplit(":", 2)) for one in services.values()
              for volume in one["volumes"]]
    assert all(mode == "ro" for _, _, mode in mounts)
    inside = {there: here for here, there, _ in mounts}
    for there, here in inside.items():
        assert there == "/models" or (KIT / here).is_file()
    named = [flag.partition("=")[2] for flag in serving["command"]
             if ".config" in flag]
    assert len(named) == 3 and set(named) <= set(inside)
    assert {port.split(":")[1] for port in serving["ports"]} == {
        "8500", "8501"}
    assert serving["deploy"]["resources"]["limits"].keys() == {
        "cpus", "memory"}
    assert METADATA in serving["healthcheck"]["test"][-1]


def test_kubernetes_asks_whether_a_version_is_loaded_and_limits_it():
    spec, serving = container()
    compose = yaml.safe_load(text("docker-compose.yml"))["services"]
    assert serving["image"] == compose["serving"]["image"]
    ports = {port["name"]: port["containerPort"] for port in serving["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    for probe in ("startupProbe", "readinessProbe"):
        assert serving[probe]["httpGet"] == {"path": METADATA, "port": "rest"}
    assert serving["livenessProbe"]["tcpSocket"]["port"] in ports
    assert serving["resources"]["limits"].keys() == {"cpu", "memory"}
    assert {mount["name"] for mount in serving["volumeMounts"]} == {
        volume["name"] for volume in spec["volumes"]}
    drain = int(serving["lifecycle"]["preStop"]["exec"]["command"][1])
    assert drain < spec["terminationGracePeriodSeconds"]


def test_kubernetes_scales_what_it_deploys():
    found = documents()
    deployment, scaler = found["Deployment"], found["HorizontalPodAutoscaler"]
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["apiVersion"], target["name"]) == (
        deployment["kind"], deployment["apiVersion"],
        deployment["metadata"]["name"])
    assert 1 < scaler["spec"]["minReplicas"] < scaler["spec"]["maxReplicas"]
    assert "replicas" not in deployment["spec"]  # Two would decide otherwise.
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"][
        "matchLabels"] == labels
    _, serving = container()
    assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]
            } == {port["name"] for port in serving["ports"]}


def test_all_that_the_servers_are_told_to_read_is_in_the_kit():
    _, serving = container()
    compose = yaml.safe_load(text("docker-compose.yml"))["services"]
    for flags in (serving["args"], compose["serving"]["command"]):
        for name in re.findall(r"=/config/(\S+)", " ".join(flags)):
            assert (KIT / name).is_file()
    for name in re.findall(r"--from-file=(\S+)", text("kubernetes.yaml")):
        assert (KIT / name).is_file()


def test_every_file_that_the_readme_names_is_in_the_kit():
    named = set(re.findall(r"`([\w-]+\.(?:ya?ml|config|py))`",
                           text("README.md")))
    assert named == {path.name for path in KIT.iterdir() if path.suffix in (
        ".yaml", ".yml", ".config", ".py")}


@pytest.mark.parametrize("arguments, message", [
    (["sample", "--server=localhost:8500"],
     "--server must be grpc://HOST:PORT, http://HOST:PORT or "
     "https://HOST:PORT, got 'localhost:8500'."),
    (["sample", "--server=http://h", "--set=seed"],
     "--set must be NAME=JSON or NAME=@FILE, got 'seed'."),
    (["sample", "--server=http://h", "--set=x=@none"],
     "none must be a file to read, got No such file or directory."),
    (["sample", "--server=http://h", "--request=none"],
     "none must be a file to read, got No such file or directory."),
    (["sample", "--server=http://h", "--timeout=0"],
     "--timeout must be > 0 and --retries >= 0, got 0.0 and 5.")])
def test_the_client_says_in_a_line_what_is_wrong(arguments, message):
    done = subprocess.run(
        [sys.executable, KIT / "client.py", *arguments], timeout=60,
        capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"client.py: {message}\n"
