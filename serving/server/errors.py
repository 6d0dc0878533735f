"""Errors that a call of the model server ends with, in TF Serving's codes and words."""

import re

import grpc
import tensorflow as tf

_CODES = {code.value[0]: code for code in grpc.StatusCode}


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

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"


def invalid_argument(message: str) -> ServingError:
    """Returns the error of a request that no model could answer."""
    return ServingError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> ServingError:
    """Returns the error of a model, version or file that is not there."""
    return ServingError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> ServingError:
    """Returns the error of a request that the server's state does not allow."""
    return ServingError(grpc.StatusCode.FAILED_PRECONDITION, message)


def unimplemented(message: str) -> ServingError:
    """Returns the error of a request that no server of this kind answers."""
    return ServingError(grpc.StatusCode.UNIMPLEMENTED, message)


def from_exception(error: Exception) -> ServingError:
    """Returns `error` as a ServingError: TensorFlow's own code where it has one, INTERNAL otherwise."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(_CODES.get(error.error_code, grpc.StatusCode.UNKNOWN), op_message(error.message))
    return ServingError(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")


def op_message(message: str) -> str:
    """Returns an operation's error without the Python stack and the node names that TensorFlow puts around it."""
    before_node = re.search(r"^(.+)\n\s*\[\[\{\{", message, re.MULTILINE)
    return before_node[1].strip() if before_node else message.strip().partition("\n")[0]
