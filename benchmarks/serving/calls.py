"""What the clients of the serving benchmarks ask a server."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.shared.client_processes import Ask

if TYPE_CHECKING:
    from serving.client import Recommendations, Request
    from serving.release.manifest import Stage

PATIENCE_S = 600.0  # a slow machine makes slow answers, not failed ones


@dataclasses.dataclass(frozen=True)
class PredictCalls:
    """Predict with messages that were written beforehand, whose answers are not read: next to no work for a client.

    Args:
      target: address of the server.
      messages: serialized PredictRequests, asked in turn.
    """

    target: str
    messages: Sequence[bytes]

    def open(self) -> Ask:
        """Connects; an `Ask` returns the bytes of the answer's size."""
        import grpc

        channel = grpc.aio.insecure_channel(self.target, [("grpc.max_receive_message_length", -1)])
        method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

        async def ask(question: int) -> int:
            return len(await method(self.messages[question % len(self.messages)], timeout=PATIENCE_S))

        return ask


@dataclasses.dataclass(frozen=True)
class RecommendCalls:
    """The project's client, stage after stage or in one call.

    Args:
      target: address of the server.
      stages: the cascade in funnel order.
      requests: asked in turn.
      one_call: whether to ask the one-call model.
      deadline_s: of a request.
    """

    target: str
    stages: Sequence["Stage"]
    requests: Sequence["Request"]
    one_call: bool = False
    deadline_s: float = PATIENCE_S

    def open(self) -> Ask:
        """Connects; an `Ask` returns what `outcome` makes of the answer."""
        from serving.client import AsyncRecommenderClient, ClientConfig

        config = ClientConfig(tuple(self.stages), one_call=self.one_call, deadline_s=self.deadline_s, fallback=False)
        client = AsyncRecommenderClient(self.target, config)

        async def ask(question: int) -> Any:
            number = question % len(self.requests)
            (answer,) = await client.recommend_batch([self.requests[number]])
            return self.outcome(number, answer)

        return ask

    def outcome(self, number: int, answer: "Recommendations") -> Any:
        """Returns what is kept of the answer to a request: here the number of items."""
        return len(answer.item_ids)
