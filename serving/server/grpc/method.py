"""What every gRPC method of the server does around its work: status, metrics, a caller that has gone."""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import grpc

from serving.server.errors import from_exception
from serving.server.metrics import REQUEST_COUNT, REQUEST_LATENCY, Metrics

MESSAGE_LIMIT = 1024
"""Longer messages are cut, as TF Serving cuts them: gRPC carries them in a header."""

_LOGGER = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class HasMetrics(Protocol):
    """A servicer whose inference calls are counted."""

    metrics: Metrics


def ends_with_status(method: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """Makes a servicer method answer an exception with its status instead of a traceback.

    A call that its client gave up before it was begun is not begun.
    """

    @functools.wraps(method)
    def call(servicer: Any, request: Any, context: grpc.ServicerContext) -> _Answer:
        if not context.is_active():
            context.abort(grpc.StatusCode.CANCELLED, "the client did not wait for the call to begin")
        try:
            return method(servicer, request, context)
        except Exception as error:
            status = from_exception(error)
            if status.code == grpc.StatusCode.INTERNAL:
                _LOGGER.exception("%s failed", method.__name__)
        message = status.message
        if len(message) > MESSAGE_LIMIT:
            message = message[:MESSAGE_LIMIT] + "...TRUNCATED"
        context.abort(status.code, message)
        raise AssertionError("unreachable: abort raises")

    return call


def counted(method: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """Counts a servicer method's calls by model and status, and the time that the good ones took."""

    @functools.wraps(method)
    def call(servicer: HasMetrics, request: Any, context: grpc.ServicerContext) -> _Answer:
        named = request.tasks[0] if method.__name__ == "MultiInference" and request.tasks else request
        model = named.model_spec.name if hasattr(named, "model_spec") else ""
        start_s = time.perf_counter()
        try:
            answer = method(servicer, request, context)
        except Exception as error:
            servicer.metrics.count(REQUEST_COUNT, model, from_exception(error).code.name)
            raise
        latency_us = (time.perf_counter() - start_s) * 1e6
        servicer.metrics.observe(REQUEST_LATENCY, latency_us, model, method.__name__, "GRPC")
        servicer.metrics.count(REQUEST_COUNT, model, "OK")
        return answer

    return call
