"""The standard gRPC health service."""

import threading
from collections.abc import Iterator

import grpc

from serving.server.messages import SERVING_STATUS, HealthCheckRequest, HealthCheckResponse

_WATCH_STEP_S = 0.5  # between two looks whether a watcher is still there


class HealthService:
    """Says whether the server answers: `""` stands for all of it, other names for its gRPC services.

    Args:
      services: full names of the services that the server has.
      max_watchers: each holds a thread of the server. More are told UNIMPLEMENTED, which a gRPC client takes for
        healthy.
    """

    NAME = "grpc.health.v1.Health"

    def __init__(self, services: list[str], max_watchers: int):
        self._status = dict.fromkeys(["", *services], "SERVING")
        self._watchers = threading.BoundedSemaphore(max_watchers)
        self._changed = threading.Condition()

    def handler(self) -> grpc.GenericRpcHandler:
        """Returns what a gRPC server takes."""
        wire = {
            "request_deserializer": HealthCheckRequest.FromString,
            "response_serializer": HealthCheckResponse.SerializeToString,
        }
        return grpc.method_handlers_generic_handler(
            self.NAME,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check, **wire),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **wire),
            },
        )

    def drain(self) -> None:
        """Says NOT_SERVING from now on."""
        with self._changed:
            self._status = dict.fromkeys(self._status, "NOT_SERVING")
            self._changed.notify_all()

    def _check(self, request: HealthCheckRequest, context: grpc.ServicerContext) -> HealthCheckResponse:
        if request.service not in self._status:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return HealthCheckResponse(status=SERVING_STATUS[self._status[request.service]])

    def _watch(self, request: HealthCheckRequest, context: grpc.ServicerContext) -> Iterator[HealthCheckResponse]:
        if not self._watchers.acquire(blocking=False):
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "too many watchers")
        try:
            yield from self._changes(request.service, context)
        finally:
            self._watchers.release()

    def _changes(self, service: str, context: grpc.ServicerContext) -> Iterator[HealthCheckResponse]:
        told = None
        while context.is_active():
            with self._changed:
                if self._state(service) == told:
                    self._changed.wait(_WATCH_STEP_S)
                now = self._state(service)
            if now != told:
                told = now
                yield HealthCheckResponse(status=SERVING_STATUS[now])
            if now == "NOT_SERVING":
                return

    def _state(self, service: str) -> str:
        return self._status.get(service, "SERVICE_UNKNOWN")
