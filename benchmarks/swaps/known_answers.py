"""Whether an answer is that of a release."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.serving.calls import PATIENCE_S, RecommendCalls
from benchmarks.shared.client_processes import Ask

if TYPE_CHECKING:
    from serving.client import Recommendations, Request
    from serving.release.manifest import Stage

Known = Mapping[str, float]
"""The scores of an answer by item."""

_TOLERANCE = 1e-3
_SAME_ITEMS = 0.9
"""Where the last candidates nearly tie, rounding decides, which depends on the batch."""


class Judged(NamedTuple):
    """What is kept of an answer.

    Args:
      release: that says it gave it.
      content: which of the known releases gives this answer, by its place; `None` if none of them does.
      was_refused: whether the client, with all its attempts, found no server before.
    """

    release: int
    content: int | None
    was_refused: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class JudgedCalls(RecommendCalls):
    """`RecommendCalls` that are asked again when there is no server, whose answers are compared with those known.

    Args:
      known: by release and request, what it answers when nothing else goes on.
    """

    known: Sequence[Sequence[Known]]

    def open(self) -> Ask:
        """Connects; an `Ask` returns a `Judged`."""
        from serving.client.errors import ServerUnavailableError

        ask_once = super().open()

        async def ask(question: int) -> Judged:
            end_s = time.monotonic() + self.deadline_s
            was_refused = False
            while True:
                try:
                    judged: Judged = await ask_once(question)
                    return judged._replace(was_refused=was_refused)
                except ServerUnavailableError:
                    if time.monotonic() > end_s:
                        raise
                    was_refused = True

        return ask

    def outcome(self, number: int, answer: "Recommendations") -> Judged:
        """Returns which release the answer names and which one it is of."""
        scores = dict(zip(answer.item_ids, answer.scores, strict=True))
        matches = (place for place, release in enumerate(self.known) if is_same(scores, release[number]))
        return Judged(answer.release, next(matches, None))


def is_same(scores: Known, known: Known) -> bool:
    """Returns whether two answers have the same items, but for a few, with the same scores."""
    common = scores.keys() & known.keys()
    if len(scores) != len(known) or len(common) < _SAME_ITEMS * len(known):
        return False
    scale = max((abs(score) for score in known.values()), default=0.0)
    return all(abs(scores[item] - known[item]) <= _TOLERANCE * scale for item in common)


def known_answers(
    releases: Sequence[Mapping[str, Path]], stages: Sequence["Stage"], requests: Sequence["Request"], folder: Path
) -> list[list[Known]]:
    """Asks each release every request, stage after stage, with nothing else going on.

    Args:
      releases: folders of the SavedModels by name.
      stages: the cascade in funnel order.
      requests: to ask.
      folder: to serve the releases from.
    """
    from serving.client import ClientConfig, RecommenderClient
    from serving.release.push import push
    from serving.server.program.release_server import release_server

    known: list[list[Known]] = []
    for number, models in enumerate(releases):
        base = folder / f"known_{number}"
        push(models, base, stages=stages)
        config = ClientConfig(tuple(stages), deadline_s=PATIENCE_S, fallback=False)
        with release_server(base, port=0) as server, RecommenderClient(server.target, config) as client:
            answers = [client.recommend_batch([request])[0] for request in requests]
        known.append([dict(zip(answer.item_ids, answer.scores, strict=True)) for answer in answers])
    return known
