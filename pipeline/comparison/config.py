"""How an experiment compares methods."""

import dataclasses

from pipeline.comparison.paper import TABLES


@dataclasses.dataclass(frozen=True)
class BenchmarkConfig:
    """What `lcron benchmark` changes in an experiment, and what it measures there.

    Args:
      overrides: dotted key of the experiment to the text of its value, as `--set` takes it: the protocol of the
        comparison, such as a paper's towers and order of days.
      headline: the metric that methods are compared by, of `trainer.evaluation`; `"list/recall"` is the end-to-end
        recall inside the logged lists, `"recall@100"` that over the whole catalogue.
      max_catalogue_requests: test requests that are run over the whole catalogue, the first ones; `None` takes all. The
        logged lists of all test requests count.
      paper: table of the LCRON paper that the results stand beside, a key of `pipeline.comparison.paper.TABLES`.
    """

    overrides: dict[str, str] = dataclasses.field(default_factory=dict)
    headline: str = "list/recall"
    max_catalogue_requests: int | None = None
    paper: str | None = None

    def __post_init__(self) -> None:
        if self.max_catalogue_requests is not None and self.max_catalogue_requests < 1:
            raise ValueError(
                "`max_catalogue_requests` must be at least 1. "
                f"Received: max_catalogue_requests={self.max_catalogue_requests}"
            )
        if self.paper is not None and self.paper not in TABLES:
            raise ValueError(f"`paper` must be one of {', '.join(TABLES)}. Received: paper={self.paper!r}")
