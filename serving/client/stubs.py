"""What channels that block and channels that await have in common."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.client.tls import TlsConfig


class Stubs:
    """The methods of a model server by the type of their request.

    Args:
      channel: of `grpc` or of `grpc.aio`.
    """

    def __init__(self, channel: Any):
        prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._methods = {
            predict_pb2.PredictRequest: prediction.Predict,
            get_model_metadata_pb2.GetModelMetadataRequest: prediction.GetModelMetadata,
            get_model_status_pb2.GetModelStatusRequest: model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus,
        }

    def method(self, request: Message) -> Callable[..., Any]:
        """Returns the method that takes a request."""
        return self._methods[type(request)]


def open_channel(grpc_module: Any, target: str, tls: TlsConfig | None) -> Any:
    """Returns a channel.

    Args:
      grpc_module: `grpc` or `grpc.aio`.
      target: address of the server, `"host:port"`.
      tls: `None` talks plain text.

    Raises:
      ValueError: a file of `tls` cannot be read.
    """
    options = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        # gRPC's own second between two attempts to connect outlasts most deadlines.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
    ]
    if tls is None:
        return grpc_module.insecure_channel(target, options)
    return grpc_module.secure_channel(target, tls.credentials(), [*options, *tls.channel_options()])
