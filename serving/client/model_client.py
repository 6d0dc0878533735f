"""Calls of one model server that block, with NumPy arrays in and out and typed errors."""

import time
from types import TracebackType
from typing import TypeVar

import grpc

from serving.client.call import Call
from serving.client.errors import from_rpc_error
from serving.client.stubs import Stubs, open_channel
from serving.client.tls import TlsConfig

T = TypeVar("T")


class ModelClient:
    """A channel to a model server.

    Args:
      target: address of the server, `"host:port"`.
      tls: `None` talks plain text.

    Raises:
      ValueError: a file of `tls` cannot be read.
    """

    def __init__(self, target: str, tls: TlsConfig | None = None):
        self.target = target
        self._channel = open_channel(grpc, target, tls)
        self._stubs = Stubs(self._channel)

    def make(self, call: Call[T]) -> T:
        """Makes a call and returns what it reads in the response.

        Raises:
          RecommendError: the call failed.
        """
        try:
            response = self._stubs.method(call.request)(call.request, timeout=max(call.end_s - time.monotonic(), 0))
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.target, call.model) from None
        return call.read(response)

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def __enter__(self) -> "ModelClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
