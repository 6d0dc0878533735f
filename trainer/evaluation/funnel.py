"""Runs requests through a release's whole funnel and finds where their ground truth is lost."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from trainer.evaluation.catalogue import Catalogue
from trainer.evaluation.examples import EXAMPLES, read_batches
from trainer.evaluation.pairs import NOWHERE
from trainer.evaluation.recall import mean_recall, pooled_recall
from trainer.evaluation.requests import Requests
from trainer.evaluation.stage_models import StageModels
from trainer.reporting import Progress

EXCLUDED = "excluded"
NOT_IN_CATALOGUE = "not_in_catalogue"
DELIVERED = "delivered"


@dataclasses.dataclass(frozen=True)
class Funnel:
    """Where the ground truth of requests went, G items in the order of `Requests.ground_truth`.

    Args:
      stages: names, in funnel order.
      capacities: items each stage passes on.
      request: int64 `[G]`, the request of each item.
      excluded: bool `[G]`, whether the request excludes the item, so that it cannot be delivered.
      in_catalogue: bool `[G]`.
      positions: int32 `[T, G]`, the item's position from 0 in what each of the T stages passes on, `NOWHERE`
        where it is not passed on.
      num_excluded_returned: excluded items that the last stage passed on all the same.
    """

    stages: tuple[str, ...]
    capacities: tuple[int, ...]
    request: np.ndarray
    excluded: np.ndarray
    in_catalogue: np.ndarray
    positions: np.ndarray
    num_excluded_returned: int = 0

    def hits(self, k: int) -> np.ndarray:
        """Returns whether each item is among the first k delivered and may be, bool `[G]`."""
        return (self.positions[-1] < k) & ~self.excluded

    def metrics(self, ks: Sequence[int]) -> dict[str, float]:
        """Returns `recall@<k>`, `mean_recall@<k>`, `deliverable` and `funnel/<stage>/recall` by name.

        `deliverable` is the share of the ground truth that is neither excluded nor missing from the catalogue,
        `funnel/<stage>/recall` the share that the stage passes on at its capacity.
        """
        metrics = {f"recall@{k}": pooled_recall(self.hits(k)) for k in ks}
        metrics |= {f"mean_recall@{k}": mean_recall(self.hits(k), self.request) for k in ks}
        metrics["deliverable"] = pooled_recall(self.in_catalogue & ~self.excluded)
        for stage, positions in zip(self.stages, self.positions, strict=True):
            metrics[f"funnel/{stage}/recall"] = pooled_recall((positions != NOWHERE) & ~self.excluded)
        return metrics

    def attribution(self, k: int) -> dict[str, int]:
        """Counts the ground truth by its fate at a delivered list of k items.

        Returns:
          Counts that sum to G: `excluded`, `not_in_catalogue`, `lost_in_<stage>` for every stage in funnel order
          and `delivered`. An item that is both excluded and unknown counts as excluded.
        """
        passed = self.positions != NOWHERE
        passed[-1] = self.positions[-1] < k
        left = np.ones(len(self.request), bool)
        counts = {}
        fates = [(EXCLUDED, self.excluded), (NOT_IN_CATALOGUE, ~self.in_catalogue)]
        fates += [(f"lost_in_{stage}", ~passes) for stage, passes in zip(self.stages, passed, strict=True)]
        for name, fate in fates:
            counts[name] = int(np.sum(left & fate))
            left &= ~fate
        return counts | {DELIVERED: int(np.sum(left))}


def run_funnel(
    models: StageModels, requests: Requests, catalogue: Catalogue, *, batch_size: int, progress: Progress
) -> Funnel:
    """Retrieves from the whole catalogue for every request and ranks what is retrieved, stage after stage.

    Args:
      models: of the release.
      requests: to run.
      catalogue: gives items their rows.
      batch_size: requests per call of a model.
      progress: counts the requests.

    Returns:
      The fate of the ground truth.
    """
    num_items = catalogue.num_items
    truth, excluded = requests.ground_truth, requests.excluded
    positions = np.full((len(models.stages), len(truth)), NOWHERE, np.int32)
    start = num_excluded_returned = 0
    for batch in read_batches(requests.files, {}, batch_size=batch_size, max_examples=len(requests)):
        examples = batch[EXAMPLES]
        end = start + len(examples)
        here = truth.between(start, end)
        item_ids = np.empty((len(examples), 0), object)
        for index in range(len(models.stages)):
            item_ids = models.rank(index, examples, item_ids) if index else models.retrieve(examples)
            ranked = catalogue.rows(item_ids)
            positions[index, here] = truth.part(here, start).positions(ranked, num_items)
        returned = excluded.part(excluded.between(start, end), start).positions(ranked, num_items)
        num_excluded_returned += int(np.sum(returned != NOWHERE))
        progress.add(end - start)
        start = end
    return Funnel(
        stages=tuple(stage.name for stage in models.stages),
        capacities=tuple(stage.capacity for stage in models.stages),
        request=truth.request,
        excluded=truth.isin(excluded, num_items),
        in_catalogue=truth.item >= 0,
        positions=positions,
        num_excluded_returned=num_excluded_returned,
    )
