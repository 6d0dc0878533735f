"""The gRPC side of the server: its services on a port and, if asked for, on a UNIX socket."""

import concurrent.futures
import threading

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.server.grpc.health import HealthService
from serving.server.grpc.model_service import ModelService
from serving.server.grpc.prediction_service import PredictionService
from serving.server.options import GrpcOptions, ServeError

_ARGUMENTS: dict[str, int | str] = {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,
    "grpc.so_reuseport": 0,  # a second server on the port is an error, not a lottery
}
_SERVICES = ["tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"]


class GrpcServer:
    """The services behind their addresses; `listen`, then `start`.

    Args:
      prediction_service: answers inference calls.
      model_service: answers calls about the models.
      options: where and how.
    """

    def __init__(self, prediction_service: PredictionService, model_service: ModelService, options: GrpcOptions):
        self._options = options
        self._health = HealthService(_SERVICES, max_watchers=max(options.max_threads // 4, 1))
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(options.max_threads or None, thread_name_prefix="grpc"),
            options=list({**_ARGUMENTS, **dict(options.channel_arguments)}.items()),
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(prediction_service, self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(model_service, self._server)
        if options.has_health_service:
            self._server.add_generic_rpc_handlers((self._health.handler(),))

    def listen(self) -> int:
        """Takes the port and the socket; returns the port.

        Raises:
          ServeError: they cannot be had.
        """
        address = f"{self._options.host}:{self._options.port}"
        try:
            port = self._add_port(address)
        except RuntimeError:
            raise ServeError(f"Cannot listen on {address}: the port is in use or the address is not ours") from None
        if self._options.socket_path:
            try:
                self._add_port(f"unix:{self._options.socket_path}")
            except RuntimeError:
                raise ServeError(f"Cannot listen on the UNIX socket {self._options.socket_path}") from None
        return port

    def start(self) -> None:
        """Starts to answer."""
        self._server.start()

    def stop(self, grace_s: float) -> threading.Event:
        """Refuses new calls; returns what is set when those in flight are over, after at most `grace_s` seconds."""
        self._health.drain()
        stopped: threading.Event = self._server.stop(grace_s)
        return stopped

    def _add_port(self, address: str) -> int:
        if self._options.credentials is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, self._options.credentials)
