"""What every kind of index does."""

import abc

import tensorflow as tf

from trainer.index.item_filters import ItemFilters
from trainer.index.search_query import SearchQuery


class CatalogueSearch(tf.Module, abc.ABC):
    """Finds the items whose vectors have the largest inner products with a user's.

    Args:
      filters: of the catalogue.
    """

    def __init__(self, filters: ItemFilters) -> None:
        super().__init__()
        self.filters = filters

    @abc.abstractmethod
    def search(self, user_vectors: tf.Tensor, query: SearchQuery) -> tuple[tf.Tensor, tf.Tensor]:
        """Finds allowed items of high score.

        Args:
          user_vectors: float32 `[B, D]`.
          query: how many, and which are allowed.

        Returns:
          Rows int32 and scores float32, both `[B, min(query.size, num_items + 1)]`, best first. Row 0 and
          `LOWEST_SCORE` stand for no item.
        """

    @abc.abstractmethod
    def score(self, user_vectors: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Returns the inner products, float32 `[B, N]`, with the vectors of catalogue rows int32 `[B, N]`."""
