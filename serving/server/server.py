"""The model server: models on disk behind a gRPC port."""

import concurrent.futures
import gc
import os
import signal
import threading
from collections.abc import Callable, Collection, Sequence
from types import TracebackType

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.server.manager import ModelManager
from serving.server.model_config import ModelConfig
from serving.server.model_service import ModelService
from serving.server.prediction_service import PredictionService


class ServeError(Exception):
    """The server cannot start."""


class ModelServer:
    """Serves SavedModels over gRPC the way TF Serving does.

    Args:
      models: what to serve, in the order to load it.
      port: gRPC port; 0 takes a free one.
      host: address to listen on.
      poll_interval_s: seconds between two looks for new versions; 0 looks once.
      max_num_load_retries: how often a version that failed to load is tried again.
      load_retry_interval_s: seconds between two tries.
      grpc_max_threads: calls answered at the same time; 0 stands for four per CPU.
      start_timeout_s: how long a start waits for every model to serve a version; `None` waits until it does or fails.
      released_versions: returns the versions that may be served at the moment; `None` stands for all on disk. While
        there is none of them, what is served stays.

    Raises:
      ModelConfigError: `models` cannot be served.

    Example:
      with ModelServer([model_config("ranking", "/models/ranking")]) as server:
          channel = grpc.insecure_channel(server.target)
    """

    def __init__(
        self,
        models: Sequence[ModelConfig],
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        poll_interval_s: float = 1.0,
        max_num_load_retries: int = 0,
        load_retry_interval_s: float = 60.0,
        grpc_max_threads: int = 0,
        start_timeout_s: float | None = None,
        released_versions: Callable[[], Collection[int]] | None = None,
    ):
        self._manager = ModelManager(
            models,
            poll_interval_s=poll_interval_s,
            max_num_load_retries=max_num_load_retries,
            load_retry_interval_s=load_retry_interval_s,
            released_versions=released_versions,
        )
        self._start_timeout_s = start_timeout_s
        self._host = host
        self.port = port
        self._grpc_server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(
                grpc_max_threads or 4 * (os.cpu_count() or 1), thread_name_prefix="grpc"
            ),
            options=[
                ("grpc.max_send_message_length", -1),
                ("grpc.max_receive_message_length", -1),
                ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a lottery
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self._manager), self._grpc_server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(self._manager), self._grpc_server)

    @property
    def target(self) -> str:
        """Address for a gRPC channel."""
        return f"{self._host}:{self.port}"

    def available_versions(self, name: str) -> list[int]:
        """Returns the versions of a model that answer now, highest first."""
        return [version for version, record in self._manager.records(name).items() if record.servable is not None]

    def start(self) -> None:
        """Loads the models and starts to answer.

        Raises:
          ServeError: the port cannot be had, or a model did not become available in time.
        """
        try:
            self.port = self._grpc_server.add_insecure_port(self.target)
        except RuntimeError:
            raise ServeError(f"Cannot listen on {self.target}: the port is in use or the address is not ours") from None
        self._manager.start()
        missing = self._manager.wait_until_available(self._start_timeout_s)
        if missing:
            self.stop(grace_s=0)
            raise ServeError(f"{len(missing)} servable(s) did not become available: {', '.join(missing)}")
        self._grpc_server.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Refuses new calls, lets those in flight finish, and unloads the models.

        Args:
          grace_s: how long calls in flight may take before they are cancelled.
        """
        self._grpc_server.stop(grace_s).wait()
        self._manager.stop()

    def run(self, report_start: Callable[[], None]) -> None:
        """Starts, serves until SIGTERM or SIGINT, and stops: all that a serving program does, in its main thread.

        Args:
          report_start: called once the server answers.

        Raises:
          ServeError: as `start`.
        """
        gc.freeze()  # the modules loaded so far are not searched for garbage at every unload: 1 ms instead of 200
        self.start()
        terminated = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: terminated.set())
        report_start()
        terminated.wait()
        self.stop()

    def __enter__(self) -> "ModelServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
