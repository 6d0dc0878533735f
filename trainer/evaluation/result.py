"""What an evaluation found, as written to `evaluation.json`."""

import dataclasses
import json

from trainer.config.json_text import from_json, to_plain
from trainer.evaluation.gate import Decision
from trainer.evaluation.slices import SliceMetrics

CANDIDATE = "candidate"
BASELINE = "baseline"


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """The evaluation of a candidate release.

    Args:
      decision: of the gate.
      metrics: of the candidate, by name: `recall@<k>` (pooled, end to end over the whole catalogue),
        `mean_recall@<k>` (mean over requests), `deliverable`, `funnel/<stage>/recall`, `list/recall`,
        `list/<stage>/recall`, `list/<stage>/ndcg@10`, `list/<stage>/kendall_tau`.
      intervals: 95 % confidence interval of each `recall@<k>`.
      popularity: `recall@<k>` and `mean_recall@<k>` of each popularity list, by the list's name.
      baseline: metrics of the baseline release, `None` if there is none.
      baseline_error: why the baseline could not be evaluated.
      oracle: best possible pooled recall by `recall@<k>`, where known.
      attribution: ground truth counted by its fate, by release (`candidate`, `baseline`) and `recall@<k>`.
      slices: recall by slice.
      stages: names in funnel order.
      capacities: items each stage passes on.
      list_capacities: the same within a logged list, `None` for the size of the list's ground truth.
      ks: sizes of the delivered list.
      curve_ks: sizes of the delivered list that `curves` are drawn at.
      curves: pooled recall at `curve_ks` of `candidate`, `baseline` and each `popularity_<list>`.
      num_requests: requests evaluated.
      num_requests_without_ground_truth: how many of them recall leaves out.
      num_ground_truth: ground-truth items.
      num_items: catalogue size.
      num_excluded_returned: excluded items that the candidate returned all the same.
      elapsed_s: duration of the evaluation.
    """

    decision: Decision
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    popularity: dict[str, dict[str, float]]
    baseline: dict[str, float] | None
    baseline_error: str | None
    oracle: dict[str, float]
    attribution: dict[str, dict[str, dict[str, int]]]
    slices: tuple[SliceMetrics, ...]
    stages: tuple[str, ...]
    capacities: tuple[int, ...]
    list_capacities: tuple[int | None, ...]
    ks: tuple[int, ...]
    curve_ks: tuple[int, ...]
    curves: dict[str, tuple[float, ...]]
    num_requests: int
    num_requests_without_ground_truth: int
    num_ground_truth: int
    num_items: int
    num_excluded_returned: int
    elapsed_s: float

    @property
    def blessed(self) -> bool:
        """Whether the release may be pushed."""
        return self.decision.blessed

    def shares(self, k: int, release: str = CANDIDATE) -> dict[str, float]:
        """Returns the attribution at a delivered list of k items as shares that sum to 1."""
        counts = self.attribution[release][f"recall@{k}"]
        return {fate: count / self.num_ground_truth for fate, count in counts.items()}

    def to_json(self) -> str:
        """Returns the result as JSON text, keys as in this class."""
        return json.dumps(to_plain(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "EvaluationResult":
        """Reads what `to_json` wrote.

        Raises:
          ValueError: if the text is no evaluation result.
        """
        return from_json(cls, text)
