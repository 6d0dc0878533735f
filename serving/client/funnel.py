"""What becomes of a batch of requests on its way through the stages."""

import dataclasses

import numpy as np

from serving import signatures
from serving.client.call import Prediction


@dataclasses.dataclass(frozen=True)
class Funnel:
    """The items left after each stage that answered.

    Args:
      kept: by stage and request, the item ids, best first, bytes `[n]`.
      scores: of the last of these stages by request, float `[n]`.
      release: version of the models.
      fallback: the next stage did not answer.
    """

    kept: tuple[list[np.ndarray], ...]
    scores: list[np.ndarray]
    release: int
    fallback: bool = False

    @property
    def item_ids(self) -> list[np.ndarray]:
        """What the last of the stages kept, by request."""
        return self.kept[-1]

    @classmethod
    def found(cls, answer: Prediction, num_requests: int) -> "Funnel":
        """Returns what a search of the catalogue found, without its padding.

        Args:
          answer: with `item_id` and `score`, both `[num_requests, K]`.
          num_requests: in the batch.
        """
        rows = [
            (answer.outputs[signatures.ITEM_ID][row], answer.outputs[signatures.SCORES][row])
            for row in range(num_requests)
        ]
        item_ids = [ids[ids != b""] for ids, _ in rows]
        return cls((item_ids,), [scores[ids != b""] for ids, scores in rows], answer.version)

    def scored(self, answer: Prediction, capacity: int) -> "Funnel":
        """Returns the funnel after one more stage: the best of each request, ties in the order they came in.

        Args:
          answer: with `score`, `[num_requests, N]`, N the longest list of `item_ids`.
          capacity: items that the stage passes on.
        """
        item_ids, best = [], []
        for ids, padded in zip(self.item_ids, answer.outputs[signatures.SCORES], strict=True):
            scores = padded[: ids.size]
            order = np.argsort(-scores, kind="stable")[:capacity]
            order = order[scores[order] > signatures.LOWEST_SCORE]
            item_ids.append(ids[order])
            best.append(scores[order])
        return Funnel((*self.kept, item_ids), best, self.release)
