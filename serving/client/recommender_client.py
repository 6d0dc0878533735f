"""The client of a recommender cascade that blocks."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from serving.client.call import Call, Pause
from serving.client.config import ClientConfig
from serving.client.conversation import Conversation
from serving.client.errors import RecommendError
from serving.client.model_client import ModelClient
from serving.client.recommendations import Recommendations
from serving.client.request import Request
from serving.request_log import RequestLog


class RecommenderClient:
    """Asks the stages of a cascade one after the other, all of the same release, or the one-call model.

    Retrieval answers with its newest version, and every later stage is asked for that very version. When it is
    gone, or not there yet, the request starts over once, with the newest release that all stages have. Any number
    of threads may share a client.

    Args:
      target: address of the model server, `"host:port"`.
      config: settings.
      request_log: takes what was answered; whoever opened it closes it.

    Raises:
      ValueError: a file of `config.tls` cannot be read.

    Example:
      with RecommenderClient("127.0.0.1:8500", ClientConfig(manifest.stages)) as client:
          answer = client.recommend("u1", context={"tab": 5}, history=["i3", "i7"], k=10, deadline_s=0.2)
          print(answer.item_ids)
    """

    def __init__(self, target: str, config: ClientConfig, *, request_log: RequestLog | None = None):
        self._models = ModelClient(target, config.tls)
        self._conversation = Conversation(target, config, request_log)

    def recommend(
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
        """Recommends items for one request; `Request` says what each value means.

        Args:
          user: user id.
          context: scalar features by name.
          history: item ids, oldest first, or columns.
          k: number of items wanted.
          exclude: items that must not be recommended.
          filters: values that an item must have one of, by feature.
          num_probed_leaves: leaves of an approximate index to search; 0 leaves it to the release.
          deadline_s: seconds that all of it may take; the client's by default.

        Raises:
          RecommendError: no recommendations could be had.
        """
        request = Request(
            user,
            {} if context is None else context,
            history,
            k,
            exclude,
            {} if filters is None else filters,
            num_probed_leaves,
        )
        return self.recommend_batch([request], deadline_s=deadline_s)[0]

    def recommend_batch(self, requests: Sequence[Request], *, deadline_s: float | None = None) -> list[Recommendations]:
        """Recommends items for several requests with one call per stage.

        Args:
          requests: any number of them.
          deadline_s: seconds that all of it may take; the client's by default.

        Returns:
          One answer for each request, in their order.

        Raises:
          RecommendError: no recommendations could be had.
        """
        steps = self._conversation.recommend(requests, deadline_s)
        try:
            step = next(steps)
            while True:
                try:
                    result = self._take(step)
                except RecommendError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(result)
        except StopIteration as end:
            return end.value

    def close(self) -> None:
        """Closes the channel."""
        self._models.close()

    def __enter__(self) -> "RecommenderClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, step: Call[Any] | Pause) -> Any:
        return time.sleep(step.duration_s) if isinstance(step, Pause) else self._models.make(step)
