"""Answers a PredictRequest."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving.server.errors import invalid_argument
from serving.server.lookup import find_servable, required_model_spec
from serving.server.manager import ModelManager
from serving.server.signature import Signature
from serving.tensor_proto import to_array, to_proto


def predict(manager: ModelManager, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """Runs the signature that the request names on the request's inputs.

    Args:
      manager: holds the models.
      request: the call.

    Returns:
      The outputs asked for in typed fields, with the version and signature that gave them.

    Raises:
      ServingError: the request does not fit the model, or no such model is available.
      tf.errors.OpError: the graph refused the values.
    """
    servable = find_servable(manager, required_model_spec(request))
    signature_name = request.model_spec.signature_name or tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    signature = servable.signature(signature_name)
    inputs = _read_inputs(signature, request)
    outputs = signature.select_outputs(request.output_filter)
    results = signature.run(inputs, outputs)

    response = predict_pb2.PredictResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.model_spec.signature_name = signature_name
    for name, array in results.items():
        response.outputs[name].CopyFrom(to_proto(array, signature.outputs[name].dtype))
    return response


def _read_inputs(signature: Signature, request: predict_pb2.PredictRequest) -> dict[str, np.ndarray]:
    signature.check_input_names(request.inputs)
    inputs = {}
    for name, proto in request.inputs.items():
        try:
            inputs[name] = to_array(proto)
        except ValueError:
            raise invalid_argument(f"tensor parsing error: {name}") from None
        signature.check_input(name, inputs[name], tf.as_dtype(proto.dtype))
    return inputs
