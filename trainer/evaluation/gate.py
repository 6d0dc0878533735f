"""Decides from its metrics whether a candidate release may be pushed."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Gate:
    """What a candidate release must reach. A release that returns excluded items never passes.

    Args:
      metric: name of the metric that `max_regression` and `popularity_factor` look at;
        `None` stands for the pooled end-to-end recall at the largest k.
      minimum: absolute bars, metric name to the lowest value that passes.
      max_regression: share of the baseline's `metric` that the candidate may lose, 0.02 for 2 %;
        `None` does not compare with a baseline.
      popularity_factor: the candidate's `metric` must be at least this many times that of the strongest
        popularity list; `None` does not compare. It needs a `metric` that popularity has:
        `recall@<k>` or `mean_recall@<k>`.
      block_on_incompatible_baseline: whether a baseline that cannot be evaluated blocks the candidate, since then
        nobody knows whether it is worse.
    """

    metric: str | None = None
    minimum: Mapping[str, float] = dataclasses.field(default_factory=dict)
    max_regression: float | None = 0.02
    popularity_factor: float | None = 1.0
    block_on_incompatible_baseline: bool = True

    def __post_init__(self) -> None:
        if self.max_regression is not None and not 0 <= self.max_regression < 1:
            raise ValueError(f"`max_regression` must be in [0, 1). Received: max_regression={self.max_regression}")
        if self.popularity_factor is not None and self.popularity_factor < 0:
            raise ValueError(
                f"`popularity_factor` must not be negative. Received: popularity_factor={self.popularity_factor}"
            )


@dataclasses.dataclass(frozen=True)
class Decision:
    """The gate's answer.

    Args:
      blessed: whether the release may be pushed.
      reasons: why not, one sentence with numbers each; empty when blessed.
      notes: what the gate could not or did not compare.
    """

    blessed: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def decide(
    gate: Gate,
    metrics: Mapping[str, float],
    *,
    default_metric: str,
    popularity: Mapping[str, Mapping[str, float]],
    baseline: Mapping[str, float] | None = None,
    baseline_error: str | None = None,
    num_excluded_returned: int = 0,
) -> Decision:
    """Holds the metrics of a candidate release against the gate.

    Args:
      gate: what it must reach.
      metrics: of the candidate.
      default_metric: the metric that `gate.metric=None` stands for.
      popularity: metrics of each popularity list, by its name.
      baseline: metrics of the last pushed release on the same requests, `None` if there is none.
      baseline_error: why the baseline could not be evaluated.
      num_excluded_returned: excluded items that the candidate returned all the same.

    Returns:
      The decision.

    Raises:
      ValueError: if the gate names a metric that was not computed.
    """
    metric = gate.metric or default_metric
    reasons: list[str] = []
    notes: list[str] = []

    if num_excluded_returned:
        reasons.append(f"retrieval returned {num_excluded_returned} excluded items, none are allowed")
    for name, minimum in gate.minimum.items():
        value = _lookup(metrics, name, "gate.minimum")
        if not value >= minimum:  # NaN passes no bar
            reasons.append(f"{name} is {value:.4f}, below the minimum of {minimum:.4f}")

    if gate.popularity_factor is not None:
        strongest = max(popularity, key=lambda name: _lookup(popularity[name], metric, "gate.metric"))
        value, bar = _lookup(metrics, metric, "gate.metric"), popularity[strongest][metric]
        if not value >= gate.popularity_factor * bar:
            reasons.append(
                f"{metric} is {value:.4f}, below {gate.popularity_factor:g} times popularity's {bar:.4f} ({strongest})"
            )

    if gate.max_regression is not None:
        if baseline_error is not None:
            sentence = f"the baseline release could not be evaluated: {baseline_error}"
            (reasons if gate.block_on_incompatible_baseline else notes).append(sentence)
        elif baseline is None:
            notes.append("there is no baseline release to compare with")
        else:
            value, before = (_lookup(each, metric, "gate.metric") for each in (metrics, baseline))
            if not value >= (1 - gate.max_regression) * before:
                reasons.append(
                    f"{metric} fell from {before:.4f} to {value:.4f}, "
                    f"{1 - value / before:.1%} where {gate.max_regression:.1%} is allowed"
                )
    return Decision(blessed=not reasons, reasons=tuple(reasons), notes=tuple(notes))


def _lookup(metrics: Mapping[str, float], name: str, field: str) -> float:
    if name not in metrics:
        raise ValueError(f"`{field}` names no metric here. Expected one of {sorted(metrics)}. Received: {name!r}")
    return metrics[name]
