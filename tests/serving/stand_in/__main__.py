"""Serves until it is told to stop."""

import argparse
from concurrent import futures
import functools
import signal
import sys
import threading

from google.protobuf import text_format
import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2, get_model_status_pb2, model_service_pb2_grpc,
    predict_pb2, prediction_service_pb2_grpc)

from tests.serving.server_protos import BatchingParameters
from tests.serving.stand_in import __doc__ as description
from tests.serving.stand_in.batching import Failed
from tests.serving.stand_in.rest import make_server
from tests.serving.stand_in.versions import Model, Version


def answering(method):
    """Turns `Failed` into a status of gRPC."""
    @functools.wraps(method)
    def answer(self, request, context):
        spec = request.model_spec
        which = spec.name, (
            spec.version.value if spec.HasField("version") else None)
        try:
            return method(self, request, which)
        except Failed as error:
            return context.abort(error.code, error.text)
    return answer


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    """PredictionService, of one `Model`."""

    def __init__(self, model):
        self.model = model

    @answering
    def Predict(self, request, which):
        name = request.model_spec.signature_name or "serving_default"
        with self.model.use(*which) as version:
            outputs = version.predict(name, {
                key: tf.make_ndarray(value)
                for key, value in request.inputs.items()})
        answer = predict_pb2.PredictResponse()
        answer.model_spec.name = which[0]
        answer.model_spec.version.value = version.number
        answer.model_spec.signature_name = name
        for key, value in outputs.items():
            if not request.output_filter or key in request.output_filter:
                answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return answer

    @answering
    def GetModelMetadata(self, request, which):
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        with self.model.use(*which) as version:
            answer.model_spec.name = which[0]
            answer.model_spec.version.value = version.number
            answer.metadata["signature_def"].Pack(
                get_model_metadata_pb2.SignatureDefMap(
                    signature_def=version.signatures))
        return answer


class Statuses(model_service_pb2_grpc.ModelServiceServicer):
    """ModelService, of one `Model`."""

    def __init__(self, model):
        self.model = model

    @answering
    def GetModelStatus(self, request, which):
        return get_model_status_pb2.GetModelStatusResponse(
            model_version_status=self.model.statuses(*which))


def main():
    parser = argparse.ArgumentParser("stand_in", description=description)
    for name in ("port", "rest_api_port", "tensorflow_intra_op_parallelism",
                 "tensorflow_inter_op_parallelism"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--file_system_poll_wait_seconds", type=float,
                        default=1)
    for name in ("model_name", "model_base_path", "batching_parameters_file"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--enable_batching", action="store_true")
    options, batching = parser.parse_args(), None
    if options.enable_batching:
        with open(options.batching_parameters_file, encoding="utf-8") as file:
            batching = text_format.Parse(file.read(), BatchingParameters())
    load = functools.partial(
        Version, batching=batching, threads=(
            options.tensorflow_intra_op_parallelism,
            options.tensorflow_inter_op_parallelism))
    model = Model(options.model_name, options.model_base_path, load,
                  options.file_system_poll_wait_seconds)
    threading.Thread(target=model.watch, daemon=True).start()
    server = grpc.server(futures.ThreadPoolExecutor(128), options=[
        ("grpc.max_receive_message_length", -1)])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Predictions(model), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        Statuses(model), server)
    server.add_insecure_port(f"127.0.0.1:{options.port}")
    server.start()
    rest = make_server(model, options.rest_api_port)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    server.stop(grace=5).wait()
    rest.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
