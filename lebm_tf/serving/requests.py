"""Example requests for a model: to copy, and to warm up a server."""

import base64
import os
from typing import Any, Mapping

import numpy as np
import tensorflow as tf

from lebm_tf.errors import InputError
from lebm_tf.serving.blocks import call
from lebm_tf.serving.signatures import Signature

WARMUP = "tf_serving_warmup_requests"  # Name used by TensorFlow Serving.

Request = dict[str, np.ndarray]  # Input name -> [rows, ...].


def examples(signatures: Mapping[str, Signature], seeds=(7,)
             ) -> dict[str, Request]:
    """A request for every signature, made of samples of the model.

    Args:
        signatures: Signatures of a `Servable`.
        seeds: One for each row.
    """
    values: dict[str, Any] = {"seed": np.array(seeds, np.int64)}
    for signature in signatures.values():  # The first one samples.
        for name, field in signature.inputs.items():
            if field.example is not None:
                values[name] = np.full(
                    [len(seeds), *field.shape], field.example,
                    field.dtype.as_numpy_dtype)
        request = {name: values[name] for name in signature.inputs
                   if name in values}
        if len(request) == len(signature.inputs) and not (
                {"x", "text"} & set(values)):
            drawn = call(signature.function, request)
            if "text" in drawn:
                texts = _allowed(signatures["score"].inputs["text"],
                                 drawn["text"])
                values.update(drawn, text=texts, text_from=texts,
                              text_to=texts[::-1])
            elif "x" in drawn:
                x = np.clip(drawn["x"], -1, 1)
                values.update(drawn, x=x, x_from=x, x_to=x[::-1])
    if "sample_png" in signatures:
        values.update(call(signatures["sample_png"].function, {
            name: values[name] for name in signatures["sample_png"].inputs}))
    return {name: {key: values[key] for key in signature.inputs}
            for name, signature in signatures.items()}


def to_json(signature: str, request: Request) -> dict:
    """The body of a REST request to TensorFlow Serving."""
    return {"signature_name": signature, "inputs": {
        name: _plain(value) for name, value in request.items()}}


def write_warmup(folder: str, name: str, requests: Mapping[str, Request]
                 ) -> None:
    """Writes requests that a server replays before it reports to be ready.

    Args:
        folder: `assets.extra` of a version.
        name: Name of the model on the server.
        requests: Signature -> request.

    Raises:
        InputError: If tensorflow-serving-api is not installed.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ModuleNotFoundError as error:
        raise InputError(
            "warm-up requests need tensorflow-serving-api (pip install "
            "'lebm_tf[serving]', or --nowarmup to do without), got "
            f"{error}.") from error
    with tf.io.TFRecordWriter(os.path.join(folder, WARMUP)) as writer:
        for signature, request in requests.items():
            message = predict_pb2.PredictRequest()
            message.model_spec.name = name
            message.model_spec.signature_name = signature
            for key, value in request.items():
                message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            writer.write(prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=message)
            ).SerializeToString(deterministic=True))


def _allowed(field, texts):
    """Sampled texts; those that are not allowed in a request, as an empty one,
    are replaced by an example."""
    _, problems = field.read("text", tf.constant(texts))
    return np.array([text if not problem else field.servable.example.encode()
                     for text, problem in zip(texts, problems.numpy())],
                    object)


def _plain(value):
    """An array as JSON: numbers with the fewest digits, texts unchanged, other
    bytes in base64."""
    if value.dtype == object:
        return [_text_or_base64(one) for one in value]
    if value.dtype.kind != "f":
        return value.tolist()
    texts = [float(str(one)) for one in value.reshape(-1)]
    return np.array(texts, np.float64).reshape(value.shape).tolist()


def _text_or_base64(value):
    try:
        return value.decode()
    except UnicodeDecodeError:  # The first byte of a PNG file is not UTF-8.
        return {"b64": base64.b64encode(value).decode()}
