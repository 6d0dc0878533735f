"""Calls of one model server, with NumPy arrays in and out and typed errors."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.client_errors import from_rpc_error
from serving.tensor_proto import to_array, to_proto

_SIGNATURE_DEF = "signature_def"


class Prediction(NamedTuple):
    """Outputs by name, and the version that gave them."""

    outputs: dict[str, np.ndarray]
    version: int


class ModelClient:
    """A channel to a model server.

    Args:
      target: address of the server, `"host:port"`.
      credentials: for TLS; `None` talks plain text.
    """

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None = None):
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self.target = target
        self._channel = (
            grpc.insecure_channel(target, options)
            if credentials is None
            else grpc.secure_channel(target, credentials, options)
        )
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(
        self,
        model: str,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        *,
        version: int | None = None,
        deadline_s: float,
    ) -> Prediction:
        """Runs a signature of a model.

        Args:
          model: its name.
          signature: its name.
          inputs: arrays by input name; strings are `bytes` in an object array.
          version: that must answer; the highest by default.
          deadline_s: when to give up, on the monotonic clock.

        Raises:
          RecommendError: the call failed.
        """
        request = predict_pb2.PredictRequest(model_spec=_model_spec(model, version))
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(to_proto(array, tf.as_dtype(array.dtype)))
        response = self._call(self._prediction.Predict, request, deadline_s)
        outputs = {name: to_array(proto) for name, proto in response.outputs.items()}
        return Prediction(outputs, response.model_spec.version.value)

    def signatures(self, model: str, *, deadline_s: float) -> dict[str, meta_graph_pb2.SignatureDef]:
        """Returns the signatures of a model's highest version by name.

        Raises:
          RecommendError: the call failed.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=_model_spec(model, None), metadata_field=[_SIGNATURE_DEF]
        )
        response = self._call(self._prediction.GetModelMetadata, request, deadline_s)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[_SIGNATURE_DEF].Unpack(signatures)
        return dict(signatures.signature_def)

    def available_versions(self, model: str, *, deadline_s: float) -> set[int]:
        """Returns the versions of a model that answer now.

        Raises:
          RecommendError: the call failed.
        """
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=_model_spec(model, None))
        response = self._call(self._model.GetModelStatus, request, deadline_s)
        available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        return {status.version for status in response.model_version_status if status.state == available}

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def _call(self, method: Callable[..., Any], request: Any, deadline_s: float) -> Any:
        try:
            return method(request, timeout=max(deadline_s - time.monotonic(), 0))
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.target, request.model_spec.name) from None


def _model_spec(model: str, version: int | None) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=model)
    if version is not None:
        spec.version.value = version
    return spec
