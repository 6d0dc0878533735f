"""The client of a recommender cascade for asyncio."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from serving.client.async_model_client import AsyncModelClient
from serving.client.call import Call, Pause
from serving.client.config import ClientConfig
from serving.client.conversation import Conversation
from serving.client.errors import RecommendError
from serving.client.recommendations import Recommendations
from serving.client.request import Request
from serving.request_log import RequestLog


class AsyncRecommenderClient:
    """`RecommenderClient` for asyncio: the same arguments, answers and errors.

    Make it in the event loop that uses it. Any number of tasks may share a client; one that is cancelled ends its
    call.

    Args:
      target: address of the model server, `"host:port"`.
      config: settings.
      request_log: takes what was answered; whoever opened it closes it.

    Raises:
      ValueError: a file of `config.tls` cannot be read.

    Example:
      async with AsyncRecommenderClient("127.0.0.1:8500", ClientConfig(manifest.stages)) as client:
          print((await client.recommend("u1", history=["i3", "i7"], k=10)).item_ids)
    """

    def __init__(self, target: str, config: ClientConfig, *, request_log: RequestLog | None = None):
        self._models = AsyncModelClient(target, config.tls)
        self._conversation = Conversation(target, config, request_log)

    async def recommend(
        self,
        user: str | None = None,
        *,
        context: Mapping[str, str | int | float] | None = None,
        history: Sequence[str] | Mapping[str, Sequence[Any]] = (),
        k: int = 10,
        exclude: Sequence[str] = (),
        filters: Mapping[str, Sequence[str]] | None = None,
        num_probed_leaves: int = 0,
        deadline_s: float | None = None,
    ) -> Recommendations:
        """Recommends items for one request, as `RecommenderClient.recommend` does."""
        request = Request(
            user,
            {} if context is None else context,
            history,
            k,
            exclude,
            {} if filters is None else filters,
            num_probed_leaves,
        )
        return (await self.recommend_batch([request], deadline_s=deadline_s))[0]

    async def recommend_batch(
        self, requests: Sequence[Request], *, deadline_s: float | None = None
    ) -> list[Recommendations]:
        """Recommends items for several requests, as `RecommenderClient.recommend_batch` does."""
        steps = self._conversation.recommend(requests, deadline_s)
        try:
            step = next(steps)
            while True:
                try:
                    result = await self._take(step)
                except RecommendError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            return end.value

    async def close(self) -> None:
        """Closes the channel."""
        await self._models.close()

    async def __aenter__(self) -> "AsyncRecommenderClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _take(self, step: Call[Any] | Pause) -> Any:
        if isinstance(step, Pause):
            return await asyncio.sleep(step.duration_s)
        return await self._models.make(step)
