"""Protocol messages that TF Serving and gRPC define and no package brought here contains.

Built from their field numbers in a pool of their own, so that a process that imports the generated modules
of another package beside them sees no conflict.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from google.protobuf.message import Message

_Field = descriptor_pb2.FieldDescriptorProto
_STRING, _BOOL, _INT64, _MESSAGE, _ENUM = (
    _Field.TYPE_STRING,
    _Field.TYPE_BOOL,
    _Field.TYPE_INT64,
    _Field.TYPE_MESSAGE,
    _Field.TYPE_ENUM,
)
_SERVING, _HEALTH = "tensorflow.serving", "grpc.health.v1"
_MESSAGES: dict[str, dict[str, dict[str, tuple[int, int, str]]]] = {
    _SERVING: {
        "SSLConfig": {
            "server_key": (1, _STRING, ""),
            "server_cert": (2, _STRING, ""),
            "custom_ca": (3, _STRING, ""),
            "client_verify": (4, _BOOL, ""),
        },
        "PrometheusConfig": {"enable": (1, _BOOL, ""), "path": (2, _STRING, "")},
        "MonitoringConfig": {"prometheus_config": (1, _MESSAGE, "tensorflow.serving.PrometheusConfig")},
        "BatchingParameters": {
            "max_batch_size": (1, _MESSAGE, "google.protobuf.Int64Value"),
            "batch_timeout_micros": (2, _MESSAGE, "google.protobuf.Int64Value"),
            "max_enqueued_batches": (3, _MESSAGE, "google.protobuf.Int64Value"),
            "num_batch_threads": (4, _MESSAGE, "google.protobuf.Int64Value"),
            "thread_pool_name": (5, _MESSAGE, "google.protobuf.StringValue"),
            "allowed_batch_sizes": (6, _INT64, "repeated"),
            "pad_variable_length_inputs": (7, _BOOL, ""),
            "enable_large_batch_splitting": (8, _MESSAGE, "google.protobuf.BoolValue"),
            "max_execution_batch_size": (9, _MESSAGE, "google.protobuf.Int64Value"),
        },
    },
    _HEALTH: {
        "HealthCheckRequest": {"service": (1, _STRING, "")},
        "HealthCheckResponse": {"status": (1, _ENUM, "grpc.health.v1.HealthCheckResponse.ServingStatus")},
    },
}
SERVING_STATUS = {"UNKNOWN": 0, "SERVING": 1, "NOT_SERVING": 2, "SERVICE_UNKNOWN": 3}
"""Values of the health service's `ServingStatus`."""

_Text = TypeVar("_Text", bound=Message)


class TextMessageError(ValueError):
    """A configuration file that cannot be read."""


def read_text_message(path: str | os.PathLike[str], kind: type[_Text]) -> _Text:
    """Reads a message in text format.

    Args:
      path: of the file.
      kind: class of the message.

    Raises:
      TextMessageError: the file is missing or holds no such message.
    """
    name = kind.DESCRIPTOR.full_name
    try:
        return text_format.Parse(Path(path).read_text(encoding="utf-8"), kind())
    except (OSError, UnicodeDecodeError) as error:
        raise TextMessageError(f"Cannot read the {kind.DESCRIPTOR.name} file {path}: {error}") from None
    except text_format.ParseError as error:
        problem = f"Error parsing text-format {name}: {error}"
        raise TextMessageError(f"Invalid protobuf file: '{path}'. {problem}") from None


def _classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    classes: dict[str, Any] = {}
    for package, messages in _MESSAGES.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f"{package}.proto", package=package, syntax="proto3", dependency=[wrappers_pb2.DESCRIPTOR.name]
        )
        for name, fields in messages.items():
            _add_message(file, name, fields)
        pool.Add(file)
        for name in messages:
            descriptor = pool.FindMessageTypeByName(f"{package}.{name}")
            classes[name] = message_factory.GetMessageClass(descriptor)
    return classes


def _add_message(
    file: descriptor_pb2.FileDescriptorProto, name: str, fields: Mapping[str, tuple[int, int, str]]
) -> None:
    message = file.message_type.add(name=name)
    for field, (number, kind, detail) in fields.items():
        repeated = detail == "repeated"
        message.field.add(
            name=field,
            number=number,
            type=kind,
            label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
            type_name=f".{detail}" if kind in (_MESSAGE, _ENUM) else None,
        )
        if kind == _ENUM:
            values = [
                descriptor_pb2.EnumValueDescriptorProto(name=value, number=number)
                for value, number in SERVING_STATUS.items()
            ]
            message.enum_type.add(name=detail.rpartition(".")[2], value=values)


_CLASSES = _classes()
SSLConfig: Any = _CLASSES["SSLConfig"]
MonitoringConfig: Any = _CLASSES["MonitoringConfig"]
BatchingParameters: Any = _CLASSES["BatchingParameters"]
HealthCheckRequest: Any = _CLASSES["HealthCheckRequest"]
HealthCheckResponse: Any = _CLASSES["HealthCheckResponse"]
