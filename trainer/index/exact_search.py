"""Exact search: the inner product with every item."""

import numpy as np
import tensorflow as tf

from serving import signatures
from trainer.index.catalogue_search import CatalogueSearch
from trainer.index.item_filters import ItemFilters, has_filter
from trainer.index.search_query import SearchQuery
from trainer.index.top_k import blocked_top_k


class ExactSearch(CatalogueSearch):
    """Scores all items with one product of matrices, of which the items' is kept transposed, as the product reads it.

    Args:
      item_vectors: float32 `[num_items + 1, D]`.
      filters: of the catalogue.
    """

    def __init__(self, item_vectors: np.ndarray, filters: ItemFilters) -> None:
        super().__init__(filters)
        transposed = np.ascontiguousarray(item_vectors.T)
        self._transposed = tf.Variable(transposed, trainable=False, name="item_vectors")

    def search(self, user_vectors: tf.Tensor, query: SearchQuery) -> tuple[tf.Tensor, tf.Tensor]:
        """See `CatalogueSearch.search`; memory for `[B, num_items + 1]` scores is needed."""
        scores = _without_excluded(tf.matmul(user_vectors, self._transposed), query.excluded_row)
        if query.filters:
            filtered = scores
            scores = tf.cond(
                has_filter(query.filters),
                lambda: tf.where(self.filters.allowed(query.filters), filtered, signatures.LOWEST_SCORE),
                lambda: filtered,
            )
        best, row = blocked_top_k(scores, query.size)
        return tf.where(best > signatures.LOWEST_SCORE, row, 0), best

    def score(self, user_vectors: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """See `CatalogueSearch.score`."""
        return tf.einsum("bd,dbn->bn", user_vectors, tf.gather(self._transposed, rows, axis=1))


def _without_excluded(scores: tf.Tensor, excluded_row: tf.Tensor) -> tf.Tensor:
    """The scores `[B, num_items + 1]`, the lowest where an item is excluded, and of row 0, the unknown item."""
    excluded = tf.pad(excluded_row, [[0, 0], [1, 0]])
    request = tf.broadcast_to(tf.range(tf.shape(scores)[0])[:, tf.newaxis], tf.shape(excluded))
    lowest = tf.fill(tf.shape(excluded), signatures.LOWEST_SCORE)
    return tf.tensor_scatter_nd_update(scores, tf.stack([request, excluded], axis=-1), lowest)
