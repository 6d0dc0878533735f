"""Calls of one model server that are awaited."""

import time
from typing import TypeVar

import grpc

from serving.client.call import Call
from serving.client.errors import from_rpc_error
from serving.client.stubs import Stubs, open_channel
from serving.client.tls import TlsConfig

T = TypeVar("T")


class AsyncModelClient:
    """`ModelClient` for asyncio; make it in the event loop that uses it.

    Args:
      target: address of the server, `"host:port"`.
      tls: `None` talks plain text.

    Raises:
      ValueError: a file of `tls` cannot be read.
    """

    def __init__(self, target: str, tls: TlsConfig | None = None):
        self.target = target
        self._channel = open_channel(grpc.aio, target, tls)
        self._stubs = Stubs(self._channel)

    async def make(self, call: Call[T]) -> T:
        """Makes a call and returns what it reads in the response.

        Raises:
          RecommendError: the call failed.
        """
        try:
            response = await self._stubs.method(call.request)(
                call.request, timeout=max(call.end_s - time.monotonic(), 0)
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error, self.target, call.model) from None
        return call.read(response)

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()
