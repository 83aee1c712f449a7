"""Messages of TensorFlow Serving's settings that its Python API leaves out.

Text of these messages names fields, so names and types are all that is
written down here: tensorflow_serving/config/monitoring_config.proto and
session_bundle_config.proto (BatchingParameters) of TensorFlow Serving.
"""

from google.protobuf import (
    descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2)

_FIELD = descriptor_pb2.FieldDescriptorProto
_NUMBER = ".google.protobuf.Int64Value"
_MESSAGES = {
    "PrometheusConfig": [("enable", _FIELD.TYPE_BOOL),
                         ("path", _FIELD.TYPE_STRING)],
    "MonitoringConfig": [("prometheus_config",
                          ".tensorflow.serving.PrometheusConfig")],
    "BatchingParameters": [
        ("max_batch_size", _NUMBER), ("batch_timeout_micros", _NUMBER),
        ("max_enqueued_batches", _NUMBER), ("num_batch_threads", _NUMBER),
        ("thread_pool_name", ".google.protobuf.StringValue"),
        ("allowed_batch_sizes", [_FIELD.TYPE_INT64]),
        ("pad_variable_length_inputs", _FIELD.TYPE_BOOL)]}


def _classes():
    file = descriptor_pb2.FileDescriptorProto(
        name="server_settings.proto", package="tensorflow.serving",
        syntax="proto3", dependency=["google/protobuf/wrappers.proto"])
    for message, fields in _MESSAGES.items():
        made = file.message_type.add(name=message)
        for i, (name, kind) in enumerate(fields, 1):
            field = made.field.add(
                name=name, number=i, label=_FIELD.LABEL_REPEATED if isinstance(
                    kind, list) else _FIELD.LABEL_OPTIONAL)
            if isinstance(kind, str):
                field.type, field.type_name = _FIELD.TYPE_MESSAGE, kind
            else:
                field.type = kind[0] if isinstance(kind, list) else kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {name: message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))
        for name in _MESSAGES}


BatchingParameters = _classes()["BatchingParameters"]
MonitoringConfig = _classes()["MonitoringConfig"]
