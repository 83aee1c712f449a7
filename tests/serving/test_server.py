"""The client of the kit against a server in a process of its own."""

from concurrent import futures
import dataclasses
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc
import yaml

from benchmarks import serving
from lebm_tf.serving.requests import call, examples
from tests.serving.conftest import pictures
from tests.serving.servers import (
    KIT, as_arrays, connections, row_check, running)

State = get_model_status_pb2.ModelVersionStatus.State
SEEDS = [3, -4, 2**40]


@pytest.fixture(scope="module")
def server(exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "digits"
    shutil.copytree(exported.path, folder / "1")
    batching = folder.parent / "batching.config"
    # Waits long, so that what can be joined is.
    batching.write_text((KIT / "batching.config").read_text().replace(
        "{ value: 2000 }", "{ value: 50000 }"))
    with running(folder, "--enable_batching",
                 f"--batching_parameters_file={batching}") as addresses:
        yield addresses


@pytest.fixture(scope="module", params=["grpc", "rest"])
def address(server, request):
    return getattr(server, request.param)


def client(*arguments, code=0):
    done = subprocess.run(
        [sys.executable, KIT / "client.py", *arguments], timeout=120,
        capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def assert_same(answer, expected):
    assert set(answer) == set(expected)
    found = as_arrays(answer, expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name)


def test_the_client_calls_every_signature(exported, address, tmp_path):
    path = tmp_path / "all.json"
    client("all", f"--server={address}", f"--set=seed={SEEDS}",
           f"--output={path}")
    answers = json.loads(path.read_text())
    signatures = exported.servable.signatures
    assert set(answers) == set(signatures)
    for name, request in examples(signatures, SEEDS).items():
        assert_same(answers[name], call(signatures[name].function, request))


def test_the_client_sends_the_requests_of_an_export(exported, server):
    path = f"{exported.path}/assets.extra/requests/score.json"
    answer, _ = client("score", f"--server={server.rest}", f"--request={path}")
    signatures = exported.servable.signatures
    assert_same(json.loads(answer), call(
        signatures["score"].function, examples(signatures)["score"]))


def test_the_client_finds_rows_alike_in_every_batch(
        exported, address, tmp_path):
    path, metadata = tmp_path / "check.json", (
        f"{exported.path}/assets.extra/metadata.json")
    client("check", f"--server={address}", f"--metadata={metadata}",
           f"--output={path}")
    report = json.loads(path.read_text())
    assert set(report["signatures"]) == set(exported.servable.signatures)
    for found in report["signatures"].values():
        assert found == {"rows": 0, "largest_difference": 0.0}
    cpu = report["processor"]
    assert cpu["export"]["features"] == cpu["here"]
    assert not cpu["only_here"] and not cpu["only_export"]
    _, error = client("check", f"--server={address}", "--metadata=nowhere",
                      code=2)
    assert "--metadata must be the metadata.json of an export" in error


def test_the_check_of_rows_sees_one_that_depends_on_its_batch():
    def predict(name, inputs):
        rows = inputs["seed"]
        off = 2**-20 if len(rows) == 31 else 0.0
        return {"z": [[row, off * (row == rows[-1])] for row in rows]}
    asked = {"sample": {"seed": list(range(64))}}
    found = row_check.compare(
        predict, asked, {"sample": predict("sample", asked["sample"])})
    assert found == {"sample": {"rows": 1, "largest_difference": 2**-20}}


def test_the_client_says_which_row_is_refused(address, tmp_path):
    (tmp_path / "hello.png").write_bytes(b"hello")
    answer, error = client(
        "score_png", f"--server={address}", "--set=seed=[1]",
        f"--set=png_bytes=@{tmp_path}/hello.png", code=2)
    assert error.startswith("client.py: score_png, row 0: png_bytes must be a "
                            "PNG file of 8x8 pixels")
    assert error.count("\n") == 1
    assert np.isnan(json.loads(answer)["log_joint"]).all()


@pytest.mark.parametrize("arguments, message", [
    (["dream"], "the signature must be one of .*, got 'dream'"),
    (["sample"], "inputs must be seed, got none."),
    (["sample", "--set=seed=[1.5]"], r"seed must be DT_INT64 \[rows\], got"),
    (["score", "--set=seed=[1]", "--set=x=[[0]]"],
     r"x must be DT_FLOAT \[rows, 8, 8, 3\], got"),
    (["sample", "--set=seed=[1]", "--version=9"], "Specific"),
    (["sample", "--set=seed=[1]", "--model=none"], "Latest"),
    (["sample", f"--set=seed={[1] * 257}"], "257")])
def test_the_client_says_what_can_not_be_asked(server, arguments, message):
    out, error = client(*arguments, f"--server={server.rest}", code=2)
    assert out == "" and error.count("\n") == 1
    assert error.startswith("client.py: ")
    assert re.search(message, error), error


def ask(server, signature, timeout=60, **inputs):
    """With a connection of its own, patiently."""
    made = connections.connect(server, "digits")
    fields = made.metadata(timeout)[signature]
    return connections.patiently(lambda left: made.predict(
        signature, inputs, fields, left), timeout, 5)


def test_good_and_bad_rows_share_batches(exported, server):
    """Of 24 clients at once, each third sends what is not allowed."""
    x, signatures = pictures(24), exported.servable.signatures
    seeds = np.arange(24)
    right = call(signatures["score"].function, {"seed": seeds, "x": x})

    def score(i):
        row = x[i].copy()
        if i % 3 == 0:
            row[0, 0, 0] = 7
        return ask(server[i % 2], "score", seed=[i], x=[row.tolist()])

    with futures.ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(score, range(24)))
    for i, answer in enumerate(answers):
        expected = {name: value[i:i + 1] for name, value in right.items()}
        if i % 3:
            assert_same(answer, expected)
        else:
            assert answer["status"] == ["x must lie in [-1, 1], got 7."]
            assert np.isnan(answer["log_joint"]).all()


def post(server, body, path="/v1/models/digits:predict"):
    """The code of HTTP and the answer."""
    request = urllib.request.Request(
        server.rest + path, data=body.encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("version, inputs, message", [
    (None, {"seed": [1] * 257}, "INVALID_ARGUMENT .*257"),
    (9, {"seed": [1]}, "NOT_FOUND .*Specific"),
    (None, {"sead": [1]}, "INVALID_ARGUMENT .*seed")])
def test_grpc_refuses_with_a_message(server, version, inputs, message):
    made = connections.connect(server.grpc, "digits", version)
    fields = {"inputs": dict.fromkeys(inputs, ("DT_INT64", []))}
    with pytest.raises(connections.Refused, match=message):
        made.predict("sample", inputs, fields, 60)


def test_both_protocols_tell_the_same_of_the_signatures(exported, server):
    found = [connections.connect(one, "digits").metadata(60)
             for one in server[:2]]
    assert found[0] == found[1]
    for name, signature in exported.servable.signatures.items():
        assert found[0][name]["inputs"] == {
            key: (f"DT_{field.dtype.name.upper()}".replace(
                "FLOAT32", "FLOAT"), list(field.shape))
            for key, field in signature.inputs.items()}


def test_rows_and_columns_are_answered_the_same(exported, server):
    expected = call(exported.servable.signatures["sample"].function,
                    {"seed": np.array([5, 6])})
    bodies = [{"instances": [5, 6]}, {"instances": [{"seed": 5}, {"seed": 6}]}]
    for body in bodies:  # Of serving_default, which is sample.
        code, answer = post(server, json.dumps(body))
        assert code == 200
        assert_same({name: [row[name] for row in answer["predictions"]]
                     for name in expected}, expected)
    for inputs in ([5, 6], {"seed": [5, 6]}):
        code, answer = post(server, json.dumps({"inputs": inputs}))
        assert code == 200
        assert_same(answer["outputs"], expected)


@pytest.mark.parametrize("body", [
    "{", "[]", "{}", '{"instances": []}', '{"instances": ["five"]}',
    '{"instances": [1.5]}', '{"inputs": {"sed": [1]}}',
    '{"inputs": [[1], [2, 3]]}', '{"signature_name": "x", "inputs": [1]}',
    '{"signature_name": "score", "inputs": {"seed": [1], "x": [[0.5]]}}',
    '{"signature_name": "score_png", "inputs": {"seed": [1], "png_bytes": '
    '[{"b64": "?"}]}}'])
def test_malformed_requests_are_refused_with_a_message(server, body):
    code, answer = post(server, body)
    assert code == 400
    assert answer["error"]


def test_the_health_check_of_the_kit_knows_a_loaded_model(server):
    compose = yaml.safe_load((KIT / "docker-compose.yml").read_text())
    _, *check = compose["services"]["serving"]["healthcheck"]["test"]
    port = server.rest.rpartition(":")[2]
    for name, code in (("digits", 0), ("other", 1)):
        *shell, script = check
        script = script.replace("8501", port).replace("digits", name)
        assert subprocess.run([*shell, script], timeout=60).returncode == code


def states(server):
    with urllib.request.urlopen(
            f"{server.rest}/v1/models/digits", timeout=60) as answer:
        return {one["version"]: one["state"]
                for one in json.load(answer)["model_version_status"]}


def test_the_status_by_grpc_is_that_by_rest(server):
    with grpc.insecure_channel(server.grpc.removeprefix("grpc://")) as channel:
        service = model_service_pb2_grpc.ModelServiceStub(channel)

        def ask_status(name):
            request = get_model_status_pb2.GetModelStatusRequest()
            request.model_spec.name = name
            return service.GetModelStatus(request, timeout=60)
        by_grpc = {str(one.version): State.Name(one.state)
                   for one in ask_status("digits").model_version_status}
        assert by_grpc == states(server)
        assert "AVAILABLE" in by_grpc.values()
        with pytest.raises(grpc.RpcError) as caught:
            ask_status("dogs")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert "dogs" in caught.value.details()


def test_the_load_of_the_benchmark_sees_right_and_wrong_answers(
        exported, server):
    signatures = exported.servable.signatures
    inputs = examples(signatures, range(serving.POOL))
    right = {name: call(signatures[name].function, request)
             for name, request in inputs.items()}
    chosen = serving.ServingBenchmark(
        num_clients=4, num_requests=60, malformed=0.3)
    load = serving.Load(server, serving.Questions(inputs, right), chosen)
    figures = load.run(lambda: None)
    assert not figures["errors"]
    assert figures["requests"] == 60 and 0 < figures["refused"] < 60
    assert figures["first_megabytes"] > 100
    wrong = {name: {**answer, "status": answer["status"] + b"?"}
             for name, answer in right.items()}
    chosen = dataclasses.replace(chosen, num_requests=8, malformed=0)
    load = serving.Load(server, serving.Questions(inputs, wrong), chosen)
    assert load.run(lambda: None)["num_errors"] == 8


@pytest.mark.slow
def test_a_new_version_takes_over_and_no_request_fails(exported, server):
    expected = call(exported.servable.signatures["sample"].function,
                    {"seed": np.array([1])})
    part = server.folder / ".part"
    shutil.copytree(exported.path, part)

    def sample_until(end, address):
        count = 0
        while time.monotonic() < end[0]:
            assert_same(ask(address, "sample", seed=[1]), expected)
            count += 1
            time.sleep(0.05)
        return count

    end = [time.monotonic() + 120]
    with futures.ThreadPoolExecutor(4) as threads:
        counts = [threads.submit(sample_until, end, server[i % 2])
                  for i in range(4)]
        try:
            pathlib.Path(part).rename(server.folder / "2")
            while states(server) != {"2": "AVAILABLE", "1": "END"}:
                assert time.monotonic() < end[0]
                time.sleep(0.2)
        finally:
            end[0] = time.monotonic() + 1  # A second of the new one alone.
        assert all(count.result() for count in counts)
    body = '{"instances": [1]}'
    assert post(server, body, "/v1/models/digits/versions/2:predict")[0] == 200
    code, answer = post(server, body, "/v1/models/digits/versions/1:predict")
    assert code == 404 and "Specific(digits, 1)" in answer["error"]
