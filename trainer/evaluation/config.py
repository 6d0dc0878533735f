"""What an evaluation measures and what a release must reach."""

import dataclasses

from trainer.evaluation.gate import Gate


def _check_ascending(name: str, values: tuple[int, ...] | tuple[float, ...]) -> None:
    if sorted(set(values)) != list(values) or (values and values[0] <= 0):
        raise ValueError(f"`{name}` must be positive and ascending. Received: {name}={values}")


@dataclasses.dataclass(frozen=True)
class SliceConfig:
    """The slices that metrics are broken down by.

    Args:
      history_sizes: lower edges of the user activity buckets, in events of the history; a bucket from 0 to
        the first edge comes first.
      item_age_days: upper edges of the item age buckets, in days from upload to request; a bucket of older
        items comes last and items without an upload time have one of their own.
      request_features: request features whose values are slices, such as `"tab"`.
      max_values: most frequent values of a request feature that are slices of their own; the others share one.
    """

    history_sizes: tuple[int, ...] = (1, 10, 50)
    item_age_days: tuple[float, ...] = (1.0, 7.0, 30.0)
    request_features: tuple[str, ...] = ()
    max_values: int = 10

    def __post_init__(self) -> None:
        for name in ("history_sizes", "item_age_days"):
            _check_ascending(name, getattr(self, name))
        if self.max_values < 1:
            raise ValueError(f"`max_values` must be at least 1. Received: max_values={self.max_values}")


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
    """One evaluation of a candidate release.

    Args:
      ks: sizes of the delivered list at which end-to-end recall is measured, ascending.
      exposure_stage: `candidate_stage` from which on a candidate counts as exposed, for popularity.
      popularity_days: popularity counts this many last days of training; `None` counts them all.
      batch_size: requests per call of a model.
      max_requests: evaluate only so many requests, the first ones; `None` evaluates all.
      slices: what metrics are broken down by.
      gate: what the release must reach.
    """

    ks: tuple[int, ...] = (10, 20, 50)
    exposure_stage: int = 1
    popularity_days: float | None = 7.0
    batch_size: int = 256
    max_requests: int | None = None
    slices: SliceConfig = SliceConfig()
    gate: Gate = dataclasses.field(default_factory=Gate)

    def __post_init__(self) -> None:
        if not self.ks:
            raise ValueError("`ks` must hold at least one list size. Received: ks=()")
        _check_ascending("ks", self.ks)
        for name in ("popularity_days", "batch_size", "max_requests"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"`{name}` must be positive. Received: {name}={value}")

    @property
    def default_metric(self) -> str:
        """The metric that a gate without one looks at."""
        return f"recall@{self.ks[-1]}"
