"""The index that a configuration asks for."""

from collections.abc import Callable, Mapping

import numpy as np

from trainer.config.index import IndexConfig, IndexKind
from trainer.index.catalogue_search import CatalogueSearch
from trainer.index.exact_search import ExactSearch
from trainer.index.item_filters import ItemFilters
from trainer.index.ivf_search import IvfSearch
from trainer.index.scann_search import ScannSearch, scann_ops

SEARCHES: Mapping[IndexKind, Callable[[np.ndarray, ItemFilters, IndexConfig], CatalogueSearch]] = {
    "exact": lambda item_vectors, filters, config: ExactSearch(item_vectors, filters),
    "ivf": IvfSearch,
    "scann": ScannSearch,
}
"""The search of each kind."""


def check_available(config: IndexConfig) -> None:
    """Checks, before a long training, that the index can be built.

    Raises:
      ValueError: ScaNN is asked for and not installed.
    """
    if config.kind == "scann":
        scann_ops()


def build_search(config: IndexConfig, item_vectors: np.ndarray, filters: ItemFilters) -> CatalogueSearch:
    """Returns the search of the kind that the configuration names.

    Args:
      config: of the index.
      item_vectors: float32 `[num_items + 1, D]`, of which row 0 is never found.
      filters: of the catalogue.

    Raises:
      ValueError: ScaNN is asked for and not installed.
    """
    return SEARCHES[config.kind](item_vectors, filters, config)
