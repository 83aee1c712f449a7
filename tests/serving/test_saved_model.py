"""The artefact: whole, numbered, of weights only, in float32."""

import base64
import json
import os
import re
import stat
import subprocess
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from lebm_tf.errors import InputError
from lebm_tf.serving import Servable, ServingConfig, export_model, model_card
from lebm_tf.serving.saved_model import full_precision
from tests import oracles
from tests.serving.conftest import SHAPE, build, call, pictures

QUICK = ServingConfig(check_rows=0, warmup=False, row_blocks=(16,))


def weights(path):
    """Name -> array; the sizes of blocks are none."""
    reader = tf.train.load_checkpoint(f"{path}/variables/variables")
    return {name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()
            if "OBJECT_GRAPH" not in name and not name.startswith("blocks/")}


def test_two_exports_have_equal_weights_and_equal_answers(exported, tmp_path):
    again = export_model(exported.model, str(tmp_path), SHAPE, QUICK)
    first, second = weights(exported.path), weights(again)
    assert first and set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    seed, served = np.array([1, 2]), tf.saved_model.load(again).signatures
    for name, inputs in (("sample", {}), ("score", {"x": pictures(2)})):
        oracles.assert_nests_equal(
            call(served[name], seed=seed, **inputs),
            call(exported.served[name], seed=seed, **inputs))


def test_nothing_but_weights_is_saved(exported):
    model = exported.model
    expected = sorted(tuple(v.shape) for part in model.parts
                      for v in model.variables_of(part))
    assert sorted(v.shape for v in weights(exported.path).values()
                  ) == expected
    assert set(os.listdir(exported.path)) - {"assets"} == {
        "MODEL_CARD.md", "assets.extra", "fingerprint.pb", "saved_model.pb",
        "variables"}


def test_a_model_with_a_weight_that_is_not_finite_is_refused(tmp_path):
    model = build()
    bias = model.variables_of("generator")[-1]
    bias.assign(bias * np.float32("nan"))
    with pytest.raises(InputError, match="finite weights.*NaN.*in .*bias"):
        export_model(model, str(tmp_path / "m"), SHAPE, QUICK)
    assert not (tmp_path / "m").exists()


def test_versions_are_whole_and_take_the_next_free_number(
        exported, tmp_path, monkeypatch):
    """Two exports that end at the same moment, and one that fails."""
    for taken in ("7", ".part-x", "notes"):
        (tmp_path / taken).mkdir()
    (tmp_path / "7" / "file").touch()
    seen, listdir, both = [], os.listdir, threading.Barrier(2, timeout=60)
    monkeypatch.setattr(Servable, "save", lambda self, path: open(
        os.path.join(path, "saved_model.pb"), "w").close())

    def wait(path):
        names = listdir(path)
        if os.path.samefile(path, tmp_path) and len(seen) < 2:
            seen.append(path)
            both.wait()
        return names
    monkeypatch.setattr(os, "listdir", wait)
    made, threads = [], []
    for _ in range(2):
        threads.append(threading.Thread(target=lambda: made.append(
            export_model(exported.model, str(tmp_path), SHAPE, QUICK))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert sorted(map(os.path.basename, made)) == ["8", "9"]
    assert sorted(listdir(tmp_path)) == [".part-x", "7", "8", "9", "notes"]
    assert stat.S_IMODE(os.stat(tmp_path / "8").st_mode) == 0o755
    monkeypatch.setattr(Servable, "save", lambda self, path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_model(exported.model, str(tmp_path), SHAPE, QUICK)
    assert sorted(listdir(tmp_path)) == [".part-x", "7", "8", "9", "notes"]


def test_a_model_of_mixed_precision_is_served_in_float32(exported):
    with oracles.precision("float32"):
        keras.config.set_dtype_policy("mixed_bfloat16")
        mixed = build()
    x, seed = pictures(3), np.array([1, 2, 3])
    for part in mixed.parts:
        for a, b in zip(mixed.variables_of(part),
                        exported.model.variables_of(part)):
            a.assign(b)

    def score():
        return call(Servable(mixed, SHAPE).signatures["score"].function,
                    x=x, seed=seed)
    expected = call(exported.served["score"], x=x, seed=seed)
    with full_precision(mixed):
        found = score()
    oracles.assert_nests_equal(found, expected)
    rough = score()  # It computes in bfloat16 again.
    assert 1e-3 < np.abs(rough["log_joint"] - expected["log_joint"]).max()
    assert mixed.likelihood.generator.layers[0].compute_dtype == "bfloat16"


def test_warm_up_requests_are_those_of_every_signature(exported):
    records = list(tf.data.TFRecordDataset(os.path.join(
        exported.path, "assets.extra", "tf_serving_warmup_requests")))
    replayed = set()
    for record in records:
        request = prediction_log_pb2.PredictionLog.FromString(
            record.numpy()).predict_log.request
        name = request.model_spec.signature_name
        assert request.model_spec.name == "digits"
        answer = exported.served[name](**{
            key: tf.constant(tf.make_ndarray(value))
            for key, value in request.inputs.items()})
        assert not any(answer["status"].numpy())
        replayed.add(name)
    assert replayed == set(exported.served) - {"serving_default"}


def test_metadata_says_what_the_signatures_are(exported):
    with open(f"{exported.path}/assets.extra/metadata.json",
              encoding="utf-8") as file:
        meta = json.load(file)
    assert set(meta["signatures"]) == set(exported.served) - {
        "serving_default"}
    for name, signature in meta["signatures"].items():
        function = exported.served[name]
        for kind, specs in (("inputs", function.structured_input_signature[1]),
                            ("outputs", function.structured_outputs)):
            assert set(signature[kind]) == set(specs)
            for key, field in signature[kind].items():
                assert field["dtype"] == specs[key].dtype.name
                assert [None, *field["shape"][1:]] == list(specs[key].shape)
                assert field["shape"][0] == "batch"
                assert field["meaning"].endswith(".")
    assert meta["rows"]["largest_difference"] == 0
    assert meta["rows"]["rows"] == 17


def test_requests_are_ready_to_copy(exported):
    """As TensorFlow Serving reads them: columns, bytes in base64."""
    text = model_card.read_summary(exported.path)
    lines = re.findall(r"^  curl -d (.*) http://localhost:8501/v1/models/"
                       r"digits:predict$", text, re.M)
    assert len(lines) == len(exported.served) - 1
    for line in lines:
        body = subprocess.run(["bash", "-c", f"echo {line}"], check=True,
                              capture_output=True, text=True).stdout.strip()
        if body.startswith("@"):
            with open(body[1:], encoding="utf-8") as file:
                body = file.read()
        body = json.loads(body)
        function = exported.served[body["signature_name"]]
        inputs = {}
        for key, spec in function.structured_input_signature[1].items():
            value = body["inputs"][key]
            if spec.dtype == tf.string:
                value = [base64.b64decode(one["b64"]) for one in value]
            inputs[key] = tf.constant(value, spec.dtype)
        assert not any(function(**inputs)["status"].numpy())


def test_the_card_tells_of_the_data_the_calls_and_the_limits(exported):
    with open(f"{exported.path}/MODEL_CARD.md", encoding="utf-8") as file:
        card = file.read()
    assert card.startswith("# digits\n")
    for part in ("## Intended use", "## Training data", "none at all",
                 "at most 256 rows", "bit for bit", "| input `seed` | int64 ",
                 "[batch, 8, 8, 3]", "curl -d "):
        assert part in card
    assert all(f"### {name}\n" in card for name in exported.served
               if name != "serving_default")


@pytest.mark.parametrize("wrong, message", [
    ({"max_batch": 0}, "max_batch must be >= 1, got 0."),
    ({"row_blocks": (16, 0)}, "row_blocks must all be >= 1, got 16, 0."),
    ({"hlo_rows": 0}, "hlo_rows must be >= 1, got 0."),
    ({"sample_steps": -2}, "sample_steps must be >= -1, got -2."),
    ({"num_points": 1}, "num_points must be >= 2, got 1."),
    ({"temperature": 0.0}, "temperature must be > 0, got 0.0."),
    ({"max_temperature": 0.01},
     "max_temperature must be >= min_temperature, got 0.01 and 0.1."),
    ({"exposed": ("steps",)},
     "exposed must be among num_steps, temperature, token_temperature, got "
     "'steps' (nearest: num_steps).")])
def test_settings_out_of_range_are_refused(wrong, message):
    with oracles.raises(ValueError, message):
        ServingConfig(**wrong)
