"""Answers a PredictRequest."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

from serving.server.calls.servable import Servable, answered_by, signature_name
from serving.server.calls.signature import Signature
from serving.server.errors import invalid_argument
from serving.tensor_proto import to_array, to_proto

MAX_REPEATED = 1 << 28
"""Elements that a tensor may have without a byte in the message for each."""


def predict(servable: Servable, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """Runs the signature that the request names on the request's inputs.

    Args:
      servable: the model's version that answers.
      request: the call.

    Returns:
      The outputs asked for in typed fields, with the version and signature that gave them.

    Raises:
      ServingError: the request does not fit the model.
      tf.errors.OpError: the graph refused the values.
    """
    signature = servable.signature(signature_name(request.model_spec))
    inputs = _read_inputs(signature, request)
    outputs = signature.select_outputs(request.output_filter)
    results = signature.run(inputs, outputs)

    response = predict_pb2.PredictResponse(model_spec=answered_by(servable, request.model_spec))
    for name, array in results.items():
        response.outputs[name].CopyFrom(to_proto(array, signature.outputs[name].dtype))
    return response


def _read_inputs(signature: Signature, request: predict_pb2.PredictRequest) -> dict[str, np.ndarray]:
    signature.check_input_names(request.inputs)
    inputs = {}
    for name, proto in request.inputs.items():
        try:
            _check_size(proto)
            inputs[name] = to_array(proto)
        except (ValueError, OverflowError, MemoryError):
            raise invalid_argument(f"tensor parsing error: {name}") from None
        signature.check_input(name, inputs[name], tf.as_dtype(proto.dtype))
    return inputs


def _check_size(proto: tensor_pb2.TensorProto) -> None:
    """Refuses a few bytes that stand for gigabytes: the last value of a typed field repeats."""
    size = math.prod(dim.size for dim in proto.tensor_shape.dim)
    if size > MAX_REPEATED and size > proto.ByteSize():
        raise ValueError(f"{proto.ByteSize()} bytes for {size} elements")
