"""The model server: models on disk behind a gRPC port and a REST port."""

import dataclasses
import gc
import os
import signal
import threading
from collections.abc import Callable, Collection, Sequence
from types import TracebackType

from serving.server.batching.batcher import Batcher
from serving.server.batching.parameters import BatchingOptions
from serving.server.errors import ServingError
from serving.server.grpc.model_service import ModelService
from serving.server.grpc.prediction_service import PredictionService
from serving.server.grpc.server import GrpcServer
from serving.server.metrics import Metrics
from serving.server.models.labels import VersionLabels
from serving.server.models.loader import Loader
from serving.server.models.lookup import ServableLookup
from serving.server.models.manager import ModelManager
from serving.server.models.model_config import ModelConfig
from serving.server.models.reload import ConfigReloader
from serving.server.options import GrpcOptions, LoadOptions, RestOptions, ServeError
from serving.server.rest.api import RestApi
from serving.server.rest.http_server import RestServer

__all__ = ["ModelServer", "ServeError"]


class ModelServer:
    """Serves SavedModels the way TF Serving does.

    Args:
      models: what to serve, in the order to load it.
      port: gRPC port; `None` leaves it to `grpc_options`, where 0 takes a free one.
      host: address to listen on; `None` leaves it to `grpc_options`.
      poll_interval_s: seconds between two looks for new versions; 0 looks once.
      max_num_load_retries: how often a version that failed to load is tried again.
      load_retry_interval_s: seconds between two tries.
      start_timeout_s: how long a start waits for every model to serve a version; `None` waits until it does or fails.
      released_versions: returns the versions that may be served at the moment; `None` stands for all on disk. While
        there is none of them, what is served stays.
      loading: how models are loaded.
      grpc_options: how the gRPC side listens.
      rest_options: how the REST side listens, on the same address; `None` stands for no REST.
      batching: how concurrent calls are joined; `None` joins none.
      allow_version_labels_for_unavailable_models: whether an unused label may be given to a version before it is
        available, as the labels of the first configuration are.

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
        port: int | None = None,
        host: str | None = None,
        poll_interval_s: float = 1.0,
        max_num_load_retries: int = 0,
        load_retry_interval_s: float = 60.0,
        start_timeout_s: float | None = None,
        released_versions: Callable[[], Collection[int]] | None = None,
        loading: LoadOptions | None = None,
        grpc_options: GrpcOptions | None = None,
        rest_options: RestOptions | None = None,
        batching: BatchingOptions | None = None,
        allow_version_labels_for_unavailable_models: bool = False,
    ):
        self._metrics = Metrics()
        self._batcher = Batcher(batching, self._metrics) if batching is not None else None
        self._manager = ModelManager(
            models,
            poll_interval_s=poll_interval_s,
            max_num_load_retries=max_num_load_retries,
            load_retry_interval_s=load_retry_interval_s,
            released_versions=released_versions,
            load=Loader(loading, self._metrics, self._batcher),
        )
        self._labels = VersionLabels(
            self._manager.versions, allow_unavailable=allow_version_labels_for_unavailable_models
        )
        self._start_timeout_s = start_timeout_s
        options = grpc_options or GrpcOptions()
        options = dataclasses.replace(
            options,
            host=options.host if host is None else host,
            port=options.port if port is None else port,
            max_threads=options.max_threads or _num_threads(batching),
        )
        self._host, self.port = options.host, options.port
        self.rest_port: int | None = None
        self.reloader = ConfigReloader(self._manager, self._labels)
        lookup = ServableLookup(self._manager.versions, self._labels)
        self._grpc = GrpcServer(PredictionService(lookup, self._metrics), ModelService(lookup, self.reloader), options)
        self._rest: RestServer | None = None
        if rest_options is not None:
            rest_options = dataclasses.replace(
                rest_options, num_threads=rest_options.num_threads or _num_threads(batching)
            )
            self._rest = RestServer(RestApi(lookup, self._metrics), self._metrics, options.host, rest_options)

    @property
    def target(self) -> str:
        """Address for a gRPC channel."""
        return f"{self._host}:{self.port}"

    @property
    def model_names(self) -> list[str]:
        """The models that are served, in the order they are loaded."""
        return [model.name for model in self._manager.models]

    def available_versions(self, name: str) -> list[int]:
        """Returns the versions of a model that answer now, highest first."""
        return sorted(self._manager.versions.available(name), reverse=True)

    @property
    def labelled_versions(self) -> set[int]:
        """The available versions that a label of their model stands for."""
        return self._labels.versions

    def start(self) -> None:
        """Loads the models and starts to answer.

        Raises:
          ServeError: a port cannot be had, a label stands for a version that is not available, or a model did not
            become available in time.
        """
        try:
            self._labels.assign(self._manager.models)
        except ServingError as error:
            raise ServeError(str(error)) from None
        self.port = self._grpc.listen()
        if self._rest is not None:
            self.rest_port = self._rest.listen()
        self._manager.start()
        names = self.model_names
        self._manager.is_settled(names, self._start_timeout_s)
        missing = self._manager.missing(names)
        if missing:
            self.stop(grace_s=0)
            raise ServeError(f"{len(missing)} servable(s) did not become available: {', '.join(missing)}")
        self._grpc.start()
        if self._rest is not None:
            self._rest.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Refuses new calls, lets those in flight finish, and unloads the models.

        Args:
          grace_s: how long calls in flight may take before they are cancelled.
        """
        grpc_stopped = self._grpc.stop(grace_s)
        if self._rest is not None:
            self._rest.stop(grace_s)
        grpc_stopped.wait()
        self._manager.stop()
        if self._batcher is not None:
            self._batcher.stop()

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


def _num_threads(batching: BatchingOptions | None) -> int:
    """Four calls per CPU; calls that wait for their batch hold their thread, and two batches of them are enough."""
    return max(4 * (os.cpu_count() or 1), min(2 * batching.batch_limit, 256) if batching is not None else 0)
