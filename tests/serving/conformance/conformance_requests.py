"""Requests in short forms, and how they fail."""

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from conformance_server import Server
from google.protobuf import text_format
from patience import PATIENCE_S
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    get_model_status_pb2,
    input_pb2,
    model_management_pb2,
    model_pb2,
    predict_pb2,
)

State = get_model_status_pb2.ModelVersionStatus
AVAILABLE, ENDED = ("AVAILABLE", 0, ""), ("END", 0, "")


def spec(name: str, version: int | None = None, signature: str = "", label: str | None = None) -> model_pb2.ModelSpec:
    model_spec = model_pb2.ModelSpec(name=name, signature_name=signature)
    if version is not None:
        model_spec.version.value = version
    if label is not None:
        model_spec.version_label = label
    return model_spec


def predict_request(
    model_spec: model_pb2.ModelSpec, inputs: dict[str, Any], *outputs: str
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest(model_spec=model_spec, output_filter=outputs)
    for key, value in inputs.items():
        proto = value if isinstance(value, tensor_pb2.TensorProto) else tf.make_tensor_proto(value)
        request.inputs[key].CopyFrom(proto)
    return request


def predict(server: Server, model_spec: model_pb2.ModelSpec, inputs: dict[str, Any], *outputs: str):
    return server.prediction.Predict(predict_request(model_spec, inputs, *outputs), timeout=PATIENCE_S)


def half(server: Server, x: float = 0.0, **choice: Any) -> tuple[float, int]:
    """What the model `half` answers, and its version."""
    response = predict(server, spec("half", **choice), {"x": np.float32([x])})
    return response.outputs["y"].float_val[0], response.model_spec.version.value


def examples(*features: dict[str, Any], context: dict[str, Any] | None = None) -> input_pb2.Input:
    rows = [_example(row) for row in features]
    if context is None:
        return input_pb2.Input(example_list=input_pb2.ExampleList(examples=rows))
    listed = input_pb2.ExampleListWithContext(examples=rows, context=_example(context))
    return input_pb2.Input(example_list_with_context=listed)


def _example(features: dict[str, Any]) -> tf.train.Example:
    example = tf.train.Example()
    for name, value in features.items():
        feature = example.features.feature[name]
        (feature.int64_list if isinstance(value, int) else feature.float_list).value.append(value)
    return example


def fails(call: Callable[[], object]) -> tuple[str, str]:
    """Code and message of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def status(server: Server, model_spec: model_pb2.ModelSpec) -> dict[int, tuple[str, int, str]]:
    """State, code and message by version."""
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=model_spec)
    return {
        s.version: (State.State.Name(s.state), s.status.error_code, s.status.error_message)
        for s in server.model.GetModelStatus(request, timeout=PATIENCE_S).model_version_status
    }


def state(server: Server, name: str, version: int) -> str:
    """State of one version, "" if the server knows nothing of it."""
    try:
        return status(server, spec(name)).get(version, ("",))[0]
    except grpc.RpcError:
        return ""


def reload(server: Server, config: str) -> None:
    request = text_format.Parse(config, model_management_pb2.ReloadConfigRequest())
    response = server.model.HandleReloadConfigRequest(request, timeout=PATIENCE_S)
    assert (response.status.error_code, response.status.error_message) == (0, "")


def serve(server: Server, *configs: str) -> None:
    """Has the server serve these models and no others."""
    reload(server, f"config {{ model_config_list {{ {' '.join(configs)} }} }}")


def config_of(name: str, base_path: object, more: str = "") -> str:
    """One model of a config list."""
    return f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "tensorflow" {more} }}'
