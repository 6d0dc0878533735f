"""How the server listens and loads; read without TensorFlow, so that a wrong command line ends at once."""

import dataclasses
from collections.abc import Sequence

import grpc


class ServeError(Exception):
    """The server cannot start."""


@dataclasses.dataclass(frozen=True)
class GrpcOptions:
    """How the gRPC side listens.

    Args:
      host: address to listen on.
      port: 0 takes a free one.
      socket_path: of a UNIX socket to listen on too.
      credentials: for TLS; `None` stands for plain text.
      max_threads: calls answered at the same time; 0 stands for four per CPU, with batching for more.
      channel_arguments: for gRPC itself, by name.
      has_health_service: whether `grpc.health.v1.Health` is there.
    """

    host: str = "127.0.0.1"
    port: int = 0
    socket_path: str | None = None
    credentials: grpc.ServerCredentials | None = None
    max_threads: int = 0
    channel_arguments: Sequence[tuple[str, int | str]] = ()
    has_health_service: bool = False


@dataclasses.dataclass(frozen=True)
class RestOptions:
    """How the REST side listens.

    Args:
      port: 0 takes a free one.
      num_threads: calls answered at the same time; 0 stands for four per CPU, with batching for more.
      timeout_s: how long a call waits for its turn.
      enables_cors: whether answers have CORS headers.
      metrics_path: of the page for Prometheus; `None` stands for no page.
    """

    port: int = 0
    num_threads: int = 0
    timeout_s: float = 30.0
    enables_cors: bool = False
    metrics_path: str | None = None


@dataclasses.dataclass(frozen=True)
class LoadOptions:
    """How models are loaded.

    Args:
      tags: of the graph to load from a SavedModel.
      warms_up: whether the model's warm-up requests run before it is served.
      warmup_iterations: how often each of them runs.
      checks_method_names: whether Classify and Regress insist on the signature's method name.
    """

    tags: Sequence[str] = ("serve",)
    warms_up: bool = True
    warmup_iterations: int = 1
    checks_method_names: bool = False
