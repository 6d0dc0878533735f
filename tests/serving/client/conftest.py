"""Clients that block and that await behind the same methods, and a proxy that holds or refuses calls."""

import asyncio
import collections
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from patience import PATIENCE_S
from tensorflow_serving.apis import predict_pb2

from serving.client import AsyncRecommenderClient, RecommenderClient
from serving.release.manifest import Stage
from serving.release.push import push
from serving.server.program.release_server import release_server

STAGES = (Stage("retrieval", 6), Stage("ranking", 4))


class AwaitedClient:
    """An `AsyncRecommenderClient` with the methods of a `RecommenderClient`."""

    def __init__(self, *arguments, **options):
        async def make():
            return AsyncRecommenderClient(*arguments, **options)

        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(make())

    def recommend(self, *arguments, **options):
        return self._loop.run_until_complete(self._client.recommend(*arguments, **options))

    def recommend_batch(self, *arguments, **options):
        return self._loop.run_until_complete(self._client.recommend_batch(*arguments, **options))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


@pytest.fixture(scope="module", params=[RecommenderClient, AwaitedClient], ids=["blocking", "asyncio"])
def open_client(request) -> Iterator[Callable]:
    """Opens a client of either kind, which the end of the module closes."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(request.param(*arguments, **options))


@pytest.fixture(scope="module")
def served_base(tmp_path_factory, cascade_models) -> Path:
    """Holds one release, whose ranking scores item n with 100 - (n - tab)^2."""
    base = tmp_path_factory.mktemp("base")
    push(cascade_models(1), base, stages=STAGES)
    return base


@pytest.fixture(scope="module")
def target(served_base) -> Iterator[str]:
    with release_server(served_base, port=0) as running:
        yield running.target


class Proxy(grpc.GenericRpcHandler):
    """Passes calls on to a server, but for those that it is told to hold or to refuse.

    Args:
      target: address of the server.
    """

    def __init__(self, target: str):
        self.held: set[str] = set()
        """Models whose predictions do not come until `end`."""
        self.refusals: collections.Counter[str] = collections.Counter()
        """How many of the next predictions of a model are answered with UNAVAILABLE."""
        self.calls: list[str] = []
        """Models of the predictions so far."""
        self._released = threading.Event()
        self._channel = grpc.insecure_channel(target)
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self,))
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def service(self, handler_call_details):
        method = handler_call_details.method
        return grpc.unary_unary_rpc_method_handler(lambda request, context: self._answer(method, request, context))

    def end(self) -> None:
        self._released.set()
        self._server.stop(None).wait()
        self._channel.close()

    def _answer(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        if method.endswith("/Predict"):
            model = predict_pb2.PredictRequest.FromString(request).model_spec.name
            self.calls.append(model)
            if self.refusals[model] > 0:
                self.refusals[model] -= 1
                context.abort(grpc.StatusCode.UNAVAILABLE, "refused")
            if model in self.held:
                self._released.wait()
        try:
            return self._channel.unary_unary(method)(request, timeout=PATIENCE_S)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())


@pytest.fixture
def proxy(target) -> Iterator[Proxy]:
    proxy = Proxy(target)
    yield proxy
    proxy.end()
