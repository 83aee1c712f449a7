"""Proofs that a version needs nothing of this library to answer."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from lebm_tf.serving.requests import call, examples

FRESH = """
import sys
sys.modules["lebm_tf"] = sys.modules["keras"] = None  # Neither can be imported.
import numpy as np
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
path, requests, answers = sys.argv[1:]
served, found = tf.saved_model.load(path).signatures, {}
for key, value in np.load(requests, allow_pickle=True).items():
    found.setdefault(key.split("/")[0], {})[key.split("/")[1]] = tf.constant(
        value.tolist() if value.dtype == object else value)
np.savez(answers, **{f"{name}/{key}": value.numpy()
                     for name, request in found.items()
                     for key, value in served[name](**request).items()})
"""


@pytest.fixture(scope="module")
def requests(exported):
    return examples(exported.servable.signatures, range(5))


def run(*command, **options):
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True,
        timeout=300, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_fresh_process_without_this_library_answers_the_same(
        exported, requests, tmp_path):
    np.savez(tmp_path / "requests.npz", **{
        f"{name}/{key}": value for name, request in requests.items()
        for key, value in request.items()})
    (tmp_path / "fresh.py").write_text(FRESH)
    run("fresh.py", exported.path, "requests.npz", "answers.npz",
        cwd=tmp_path)
    answers = np.load(tmp_path / "answers.npz", allow_pickle=True)
    names = set()
    for name, request in requests.items():
        expected = call(exported.servable.signatures[name].function, request)
        for key, value in expected.items():
            np.testing.assert_array_equal(
                answers[f"{name}/{key}"], value, f"{name}/{key}")
            names.add(f"{name}/{key}")
    assert set(answers) == names


def test_the_c_api_loads_it_and_runs_sample_and_score(
        exported, requests, tmp_path):
    """The loader of TensorFlow Serving, and no Python of TensorFlow's."""
    path = os.path.join(exported.path, "saved_model.pb")
    saved = saved_model_pb2.SavedModel.FromString(
        pathlib.Path(path).read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    calls, expected = [], []
    for name in ("sample", "score"):
        definition, request = signatures[name], requests[name]
        answer = call(exported.servable.signatures[name].function, request)
        calls.append({
            "inputs": [(info.name, info.dtype, request[key].tolist())
                       for key, info in definition.inputs.items()],
            "outputs": [(info.name, info.dtype)
                        for info in definition.outputs.values()]})
        expected.append([answer[key] for key in definition.outputs])
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    (tmp_path / "job.json").write_text(json.dumps({
        "path": exported.path, "calls": calls,
        "config": config.SerializeToString().hex()}))
    client = pathlib.Path(__file__).with_name("client.py")
    found = json.loads(run(str(client), "job.json", cwd=tmp_path))
    for answers, right in zip(found, expected):
        for answer, value in zip(answers, right):
            if value.dtype == object:
                assert answer == [one == b"" for one in value]
            else:
                np.testing.assert_array_equal(
                    np.array(answer, value.dtype), value)


CLI = "tensorflow.python.tools.saved_model_cli"


def test_saved_model_cli_shows_it(exported):
    shown = run("-m", CLI, "show", "--dir", exported.path, "--tag_set",
                "serve", "--signature_def", "serving_default")
    assert "inputs['seed'] tensor_info:\n      dtype: DT_INT64\n      " \
        "shape: (-1)" in shown
    assert "outputs['status'] tensor_info:" in shown


@pytest.mark.long  # It runs in a fresh process above.
def test_saved_model_cli_runs_it(exported, requests, tmp_path):
    np.savez(tmp_path / "inputs.npz", **requests["sample"])
    run("-m", CLI, "run", "--dir", exported.path, "--tag_set", "serve",
        "--signature_def", "sample", "--inputs",
        f"seed={tmp_path}/inputs.npz[seed]", "--outdir", str(tmp_path))
    expected = call(exported.servable.signatures["sample"].function,
                    requests["sample"])
    for name in ("x", "z", "energy"):
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"),
                                   expected[name], atol=1e-5)
