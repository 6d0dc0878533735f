"""Errors that a call of the model server ends with, in TF Serving's codes and words."""

import functools
import logging
import re
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
import tensorflow as tf

MESSAGE_LIMIT = 1024
"""Longer messages are cut, as TF Serving cuts them: gRPC carries them in a header."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_LOGGER = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class ServingError(Exception):
    """A call or a load that failed.

    Args:
      code: gRPC status code.
      message: what was expected and what came, in one line.
    """

    def __init__(self, code: grpc.StatusCode, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_argument(message: str) -> ServingError:
    """Returns the error of a request that no model could answer."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """Returns the error of a model, version or file that is not there."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def from_exception(error: Exception) -> ServingError:
    """Returns `error` as a ServingError: TensorFlow's own code where it has one, INTERNAL otherwise."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(_CODES.get(error.error_code, grpc.StatusCode.UNKNOWN), _op_message(error.message))
    return ServingError(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")


def ends_with_status(method: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """Makes a servicer method answer an exception with its status instead of a traceback."""

    @functools.wraps(method)
    def call(servicer: Any, request: Any, context: grpc.ServicerContext) -> _Answer:
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


def _op_message(message: str) -> str:
    """Drops the Python stack and node names that TensorFlow puts around an operation's error."""
    before_node = re.search(r"^(.+)\n\s*\[\[\{\{", message, re.MULTILINE)
    return before_node[1].strip() if before_node else message.strip().partition("\n")[0]
