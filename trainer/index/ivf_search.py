"""Approximate search by leaves (an inverted file), in TensorFlow's own operations."""

from typing import Any

import numpy as np
import tensorflow as tf

from serving import signatures
from trainer.config.index import IndexConfig
from trainer.index.catalogue_search import CatalogueSearch
from trainer.index.item_filters import ItemFilters, has_filter
from trainer.index.leaves import balanced_leaves
from trainer.index.search_query import SearchQuery
from trainer.index.top_k import blocked_top_k

_AXES_SAMPLE = 100_000
_PARALLEL_REQUESTS = 4


class IvfSearch(CatalogueSearch):
    """Searches the leaves whose centres score highest, first roughly, then exactly.

    An item's score is that of its leaf's centre plus the inner product with its residual, the difference from the
    centre. Of the residuals only the first principal components are read, in one gather of whole leaves. The best by
    centre and projected residual are then scored with their own vectors, so scores are exact and only recall is not.

    Args:
      item_vectors: float32 `[num_items + 1, D]`.
      filters: of the catalogue.
      config: of the index.
    """

    def __init__(self, item_vectors: np.ndarray, filters: ItemFilters, config: IndexConfig) -> None:
        super().__init__(filters)
        num_items, width = len(item_vectors) - 1, item_vectors.shape[1]
        num_leaves = min(config.num_leaves or round(num_items**0.5), num_items)
        leaves = balanced_leaves(item_vectors, num_leaves)
        residuals = item_vectors[leaves.rows] - leaves.centres[:, np.newaxis]
        residuals[leaves.rows == 0] = 0.0
        axes = _principal_axes(residuals.reshape(-1, width), min(config.num_projected_dims, width))
        self._num_probed = config.num_probed_leaves
        self._rerank_factor = config.rerank_factor
        self._item_vectors = tf.Variable(item_vectors, trainable=False, name="item_vectors")
        self._centres = tf.Variable(leaves.centres.T, trainable=False, name="leaf_centres")
        self._rows = tf.Variable(leaves.rows, trainable=False, name="leaf_rows")
        self._axes = tf.Variable(axes, trainable=False, name="residual_axes")
        projected = np.ascontiguousarray((residuals @ axes).transpose(0, 2, 1))
        self._residuals = tf.Variable(projected, trainable=False, name="leaf_residuals")

    @property
    def num_leaves(self) -> int:
        """Leaves of the index."""
        return self._centres.shape[1]

    def search(self, user_vectors: tf.Tensor, query: SearchQuery) -> tuple[tf.Tensor, tf.Tensor]:
        """See `CatalogueSearch.search`; items in the leaves that are not searched are not found.

        Requests are searched one by one, a few at a time: they share no leaves, and memory does not grow with a batch.
        """
        size = tf.minimum(query.size, self._item_vectors.shape[0])
        of_request = {
            "user_vector": user_vectors,
            "excluded_row": query.excluded_row,
            "filters": dict(query.filters),
            "num_probed": self._num_probed_by_request(query, tf.shape(user_vectors)[0]),
        }
        signature = (tf.TensorSpec([None], tf.int32), tf.TensorSpec([None], tf.float32))

        def search_each() -> tuple[tf.Tensor, tf.Tensor]:
            return tf.map_fn(
                lambda request: self._search_one(request, size),
                of_request,
                fn_output_signature=signature,
                parallel_iterations=_PARALLEL_REQUESTS,
            )

        # Of no request, `map_fn` does not know the shape.
        nothing = tf.zeros([0, size], tf.int32), tf.zeros([0, size])
        return tf.cond(tf.shape(user_vectors)[0] > 0, search_each, lambda: nothing)

    def _search_one(self, request: dict[str, Any], size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Rows and scores `[size]` of one request."""
        user_vector = request["user_vector"][tf.newaxis]
        leaf_scores = tf.squeeze(tf.matmul(user_vector, self._centres), axis=0)
        leaf_scores, leaf = tf.math.top_k(leaf_scores, request["num_probed"])
        residuals = tf.gather(self._residuals, leaf)  # [P, num_projected_dims, leaf_size]
        projected = tf.matmul(user_vector, self._axes)
        scores = tf.squeeze(tf.matmul(projected[tf.newaxis], residuals), axis=1) + leaf_scores[:, tf.newaxis]
        rows = tf.reshape(tf.gather(self._rows, leaf), [1, -1])
        rows = self._allowed_rows(rows, request)
        scores = tf.where(rows > 0, tf.reshape(scores, [1, -1]), signatures.LOWEST_SCORE)
        _, column = blocked_top_k(scores, size * self._rerank_factor)
        rows = tf.gather(rows, column, batch_dims=1)
        scores = tf.where(rows > 0, self.score(user_vector, rows), signatures.LOWEST_SCORE)
        best, column = tf.math.top_k(scores, tf.minimum(size, tf.shape(scores)[1]))
        rows = tf.gather(rows, column, batch_dims=1)
        padding = [[0, 0], [0, size - tf.shape(rows)[1]]]
        best = tf.pad(best, padding, constant_values=signatures.LOWEST_SCORE)
        return tf.pad(rows, padding)[0], best[0]

    def score(self, user_vectors: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """See `CatalogueSearch.score`."""
        return tf.einsum("bd,bnd->bn", user_vectors, tf.gather(self._item_vectors, rows))

    def _num_probed_by_request(self, query: SearchQuery, batch_size: tf.Tensor) -> tf.Tensor:
        default = tf.fill([batch_size], self._num_probed)
        asked = query.num_probed_leaves
        probed = default if asked is None else tf.where(asked > 0, asked, default)
        return tf.minimum(probed, self.num_leaves)

    def _allowed_rows(self, rows: tf.Tensor, request: dict[str, Any]) -> tf.Tensor:
        """`rows` `[1, N]`, 0 where one is excluded or filtered out."""
        filters = {name: values[tf.newaxis] for name, values in request["filters"].items()}
        query = SearchQuery(0, request["excluded_row"][tf.newaxis], filters)
        left = tf.where(query.excludes(rows, self._item_vectors.shape[0]), 0, rows)
        if not filters:
            return left
        return tf.cond(
            has_filter(filters), lambda: tf.where(self.filters.allowed(filters, left), left, 0), lambda: left
        )


def _principal_axes(residuals: np.ndarray, num_axes: int) -> np.ndarray:
    """The directions of largest spread, `[D, num_axes]`."""
    sample = residuals[:: max(len(residuals) // _AXES_SAMPLE, 1)]
    _, vectors = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(vectors[:, ::-1][:, :num_axes])
