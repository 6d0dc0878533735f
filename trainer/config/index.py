"""How the released retrieval stage searches the catalogue."""

import dataclasses
from typing import Literal

from trainer.config.checks import check_kind, check_positive

IndexKind = Literal["exact", "ivf", "scann"]


@dataclasses.dataclass(frozen=True)
class IndexConfig:
    """The search of the exported retrieval and cascade models; training does not see it.

    Args:
      kind: `"exact"` scores every item. `"ivf"` scores the items of the leaves nearest to the user, in TensorFlow's own
        operations, so that any TF Serving runs it. `"scann"` is ScaNN's tree and quantiser, for servers that
        have its operations.
      num_leaves: clusters of the catalogue, for `"ivf"` and `"scann"`; `None` takes about the square root of the
        number of items.
      num_probed_leaves: leaves that a request searches unless it says otherwise.
      num_projected_dims: numbers that `"ivf"` reads of every item in the probed leaves: the first principal components
        of its difference from the leaf's centre.
      rerank_factor: the best by these (`"scann"`: by quantised score), this many for each item wanted, are scored
        exactly.
      filters: names of categorical item features that requests may filter by, `filter_<name>` among their inputs.
    """

    kind: IndexKind = "exact"
    num_leaves: int | None = None
    num_probed_leaves: int = 64
    num_projected_dims: int = 16
    rerank_factor: int = 10
    filters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", tuple(self.filters))
        check_kind(self, "kind", IndexKind)
        check_positive(self, "num_probed_leaves", "num_projected_dims", "rerank_factor")
        if self.num_leaves is not None:
            check_positive(self, "num_leaves")
        if len(set(self.filters)) != len(self.filters):
            raise ValueError(f"`filters` must be distinct. Received: filters={self.filters}")

    @property
    def takes_num_probed_leaves(self) -> bool:
        """Whether a request may say how many leaves it searches."""
        return self.kind in ("ivf", "scann")
