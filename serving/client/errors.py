"""Why a recommendation could not be had."""

import grpc


class RecommendError(Exception):
    """A call that failed; the message is one line."""


class ServerUnavailableError(RecommendError):
    """No server answers at the address."""


class RecommendTimeoutError(RecommendError):
    """The answer did not come in time."""


class ServerOverloadedError(RecommendError):
    """The server has no memory for the call, or the message is larger than it takes."""


class ReleaseNotFoundError(RecommendError):
    """The server has no such model or release, or no release that is complete."""


class InvalidRequestError(RecommendError):
    """The request does not fit the models."""


_BY_CODE = {
    grpc.StatusCode.UNAVAILABLE: ServerUnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: RecommendTimeoutError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ServerOverloadedError,
    grpc.StatusCode.NOT_FOUND: ReleaseNotFoundError,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequestError,
}


def from_rpc_error(error: grpc.RpcError, target: str, model: str) -> RecommendError:
    """Returns the typed error of a failed call.

    Args:
      error: what gRPC raised; it is a call too.
      target: address of the server.
      model: that was asked.
    """
    code, details = error.code(), " ".join((error.details() or "").split())
    kind = _BY_CODE.get(code, RecommendError)
    if kind is ServerUnavailableError:
        return kind(f"No model server answers at {target}: {details}")
    if kind is RecommendTimeoutError:
        return kind(f"Model {model!r} at {target} did not answer in time")
    return kind(f"Model {model!r} at {target}: {details} ({code.name})")
