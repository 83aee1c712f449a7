"""The REST API of TensorFlow Serving.

https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import binascii
from http import server
import json
import re

from google.protobuf import json_format
import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2

from tests.serving.stand_in.batching import Failed, invalid

PATH = re.compile(r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<number>\d+))?"
                  r"(?P<what>/metadata|:predict)?")
CODES = {grpc.StatusCode.INVALID_ARGUMENT: 400, grpc.StatusCode.NOT_FOUND: 404,
         grpc.StatusCode.FAILED_PRECONDITION: 412,
         grpc.StatusCode.UNAVAILABLE: 503}
TO_JSON = {"preserving_proto_field_name": True,
           "always_print_fields_with_no_presence": True}


class Handler(server.BaseHTTPRequestHandler):
    """Answers one connection; `model` is set by `make_server`."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    model = None

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def log_message(self, format, *args):
        """Says nothing: errors are answered."""

    def _answer(self, method):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            code, answer = 200, self._route(method, body)
        except Failed as error:
            code, answer = CODES[error.code], {"error": error.text}
        text = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _route(self, method, body):
        path = PATH.fullmatch(self.path)
        if not path or (method == "POST") != (path["what"] == ":predict"):
            raise invalid(f"Malformed request: {method} {self.path}")
        which = path["name"], path["number"] and int(path["number"])
        if path["what"] == ":predict":
            return predict(self.model, which, body)
        if path["what"] == "/metadata":
            return metadata(self.model, which)
        return {"model_version_status": [{
            "status": {"error_code": "OK", "error_message": ""},
            **json_format.MessageToDict(one, **TO_JSON)}
            for one in self.model.statuses(*which)]}


def make_server(model, port):
    """A server of 127.0.0.1, not started."""
    handler = type("Handler", (Handler,), {"model": model})
    kind = type("Server", (server.ThreadingHTTPServer,), {
        "daemon_threads": True, "request_queue_size": 128})
    return kind(("127.0.0.1", port), handler)


def metadata(model, which):
    """The signatures, as JSON."""
    with model.use(*which) as version:
        found = get_model_metadata_pb2.SignatureDefMap(
            signature_def=version.signatures)
        return {"model_spec": {"name": which[0], "signature_name": "",
                               "version": str(version.number)},
                "metadata": {"signature_def": json_format.MessageToDict(
                    found, **TO_JSON)}}


def predict(model, which, body):
    """The answer to `instances` (by row) or `inputs` (by column)."""
    try:
        request = json.loads(body)
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict) or (
            ("inputs" in request) == ("instances" in request)):
        raise invalid("a request must have either inputs or instances")
    name = request.get("signature_name", "serving_default")
    with model.use(*which) as version:
        fields = version.signature(name).inputs
        inputs = request["inputs"] if "inputs" in request else _columns(
            request["instances"], fields)
        if not isinstance(inputs, dict) and len(fields) == 1:
            inputs = {next(iter(fields)): inputs}  # May come without its name.
        if not isinstance(inputs, dict) or set(inputs) != set(fields):
            raise invalid(f"inputs must be {sorted(fields)}")
        outputs = version.predict(name, {
            key: as_array(key, inputs[key], tf.as_dtype(info.dtype))
            for key, info in fields.items()})
    values = {key: _plain(key, value.tolist())
              for key, value in outputs.items()}
    only = next(iter(values.values())) if len(values) == 1 else None
    if "inputs" in request:
        return {"outputs": values if only is None else only}
    return {"predictions": only if only is not None else [
        dict(zip(values, row)) for row in zip(*values.values())]}


def as_array(name, values, dtype):
    """JSON values as an array of a tf.DType."""
    kind, allowed = np.dtype(dtype.as_numpy_dtype), "i"
    if dtype == tf.string:
        values, allowed = _as_bytes(name, values), "O"
    elif dtype.is_floating:
        allowed = "fi"
    try:
        array = np.array(values, object if dtype == tf.string else None)
    except ValueError as error:
        raise invalid(f"{name} must have one shape: {error}") from error
    if array.dtype.kind not in allowed:
        raise invalid(f"JSON values of {name} must be {dtype.name}")
    return array.astype(kind)


def _columns(rows, fields):
    if not isinstance(rows, list) or not rows:
        raise invalid("instances must be a list with at least one row")
    if len(fields) == 1 and not all(isinstance(row, dict) and set(
            row) == set(fields) for row in rows):
        return {next(iter(fields)): rows}
    if not all(isinstance(row, dict) and set(row) == set(fields)
               for row in rows):
        raise invalid(f"each instance must have {sorted(fields)}")
    return {key: [row[key] for row in rows] for key in fields}


def _as_bytes(name, value):
    if isinstance(value, list):
        return [_as_bytes(name, one) for one in value]
    if isinstance(value, str):
        return value.encode()
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (TypeError, KeyError, binascii.Error) as error:
        raise invalid(f'{name} must be text or {{"b64": ...}}') from error


def _plain(name, value):
    if isinstance(value, list):
        return [_plain(name, one) for one in value]
    if not isinstance(value, bytes):
        return value
    return {"b64": base64.b64encode(value).decode()} if name.endswith(
        "_bytes") else value.decode()
