"""Connections to TensorFlow Serving with retries."""

import base64
import json
import random
import time
import urllib.error
import urllib.parse
import urllib.request


class Refused(Exception):
    """The request was rejected; a retry would not help."""


class NoAnswer(Exception):
    """There was no response; a retry may help."""


class Rest:
    """The REST API of TensorFlow Serving.

    Args:
        url: http://HOST:PORT, with a path if there is a proxy.
        model: Name of the model on the server.
        version: Number of the version; None for the newest.
    """

    # 412: batched with a request of another shape; 504: timeout.
    later = (412, 429, 502, 503, 504)

    def __init__(self, url, model, version=None):
        self.url = f"{url.rstrip('/')}/v1/models/{model}" + (
            f"/versions/{version}" if version else "")

    def metadata(self, timeout):
        """Signature -> inputs, outputs -> name -> (type, shape of a row)."""
        answer = self._call("/metadata", None, timeout)
        found = answer["metadata"]["signature_def"]["signature_def"]
        return {name: {kind: {
            key: (field["dtype"], [
                int(dim["size"]) for dim in field["tensor_shape"]["dim"][1:]])
            for key, field in signature[kind].items()}
            for kind in ("inputs", "outputs")}
            for name, signature in found.items() if signature["inputs"]}

    def predict(self, signature, inputs, fields, timeout):
        """The result, name -> rows, for inputs, name -> rows."""
        outputs = self._call(":predict", {
            "signature_name": signature, "inputs": inputs}, timeout)["outputs"]
        if len(fields["outputs"]) == 1:  # Returned without its name.
            outputs = {next(iter(fields["outputs"])): outputs}
        return outputs

    def _call(self, path, body, timeout):
        request = urllib.request.Request(
            self.url + path, headers={"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            kind = NoAnswer if error.code in self.later else Refused
            raise kind(f"{error.code} {text}") from error
        except OSError as error:  # Unreachable, or timeout.
            raise NoAnswer(str(error)) from error


class Grpc:
    """PredictionService of TensorFlow Serving.

    Args:
        address: HOST:PORT.
        model, version: As in `Rest`.
    """

    later = ("ABORTED", "DEADLINE_EXCEEDED", "FAILED_PRECONDITION",
             "RESOURCE_EXHAUSTED", "UNAVAILABLE")

    def __init__(self, address, model, version=None):
        import grpc
        import numpy as np
        import tensorflow as tf
        from tensorflow.core.framework import types_pb2
        from tensorflow_serving.apis import (
            get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc)
        self.grpc, self.np, self.tf = grpc, np, tf
        self.types, self.described, self.predicted = (
            types_pb2, get_model_metadata_pb2, predict_pb2)
        self.model, self.version = model, version
        self.channel = grpc.insecure_channel(address, [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.lb_policy_name", "round_robin"),  # Over all pods of a name.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000)])
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(
            self.channel)

    def metadata(self, timeout):
        """As in `Rest`."""
        request = self.described.GetModelMetadataRequest(
            metadata_field=["signature_def"])
        answer = self._call(self.stub.GetModelMetadata, request, timeout)
        found = self.described.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return {name: {kind: {
            key: (self.types.DataType.Name(field.dtype),
                  [dim.size for dim in field.tensor_shape.dim[1:]])
            for key, field in getattr(signature, kind).items()}
            for kind in ("inputs", "outputs")}
            for name, signature in found.signature_def.items()
            if signature.inputs}

    def predict(self, signature, inputs, fields, timeout):
        """As in `Rest`."""
        request = self.predicted.PredictRequest()
        request.model_spec.signature_name = signature
        for name, rows in inputs.items():
            dtype, _ = fields["inputs"][name]
            if dtype == "DT_STRING":
                rows = [base64.b64decode(row["b64"]) if isinstance(row, dict)
                        else row.encode() for row in rows]
            array = self.np.array(rows, object if dtype == "DT_STRING" else
                                  dtype[3:].lower().replace("float", "float32"))
            request.inputs[name].CopyFrom(self.tf.make_tensor_proto(array))
        answer = self._call(self.stub.Predict, request, timeout)
        return {name: _plain(name, self.tf.make_ndarray(value).tolist())
                for name, value in answer.outputs.items()}

    def _call(self, method, request, timeout):
        request.model_spec.name = self.model
        if self.version:
            request.model_spec.version.value = self.version
        try:
            return method(request, timeout=timeout)
        except self.grpc.RpcError as error:
            code = error.code().name
            kind = NoAnswer if code in self.later else Refused
            raise kind(f"{code} {error.details()}") from error


def connect(server, model, version=None):
    """`Rest` for http:// and https://, `Grpc` for grpc://HOST:PORT."""
    parts = urllib.parse.urlsplit(server)
    if parts.scheme in ("http", "https") and parts.netloc:
        return Rest(server, model, version)
    if parts.scheme != "grpc" or not parts.netloc:
        raise Refused("--server must be grpc://HOST:PORT, http://HOST:PORT or "
                      f"https://HOST:PORT, got {server!r}.")
    try:
        return Grpc(parts.netloc, model, version)
    except ModuleNotFoundError as error:
        raise Refused("grpc:// needs tensorflow-serving-api (http:// does "
                      f"not), got {error}.") from error


def patiently(call, timeout, retries):
    """The result of `call(seconds left)`, with retries.

    Results depend on the request only, so retries are safe.
    """
    end = time.monotonic() + timeout
    for attempt in range(retries + 1):
        try:
            return call(max(end - time.monotonic(), 1e-3))
        except NoAnswer:
            # Random, so that many clients do not retry at once.
            pause = random.uniform(0.5, 1) * min(0.1 * 2**attempt, 5)
            if attempt == retries or time.monotonic() + pause >= end:
                raise
        time.sleep(pause)


def _plain(name, rows):
    """Bytes as in REST: base64 if the name ends in _bytes, else text."""
    if isinstance(rows, list):
        return [_plain(name, row) for row in rows]
    if not isinstance(rows, bytes):
        return rows
    return {"b64": base64.b64encode(rows).decode()} if name.endswith(
        "_bytes") else rows.decode()
