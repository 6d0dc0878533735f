"""Approximate search by leaves (an inverted file), in TensorFlow's own operations."""

import numpy as np
import tensorflow as tf

from serving import signatures
from trainer.index.catalogue_search import CatalogueSearch
from trainer.index.config import IndexConfig
from trainer.index.item_filters import ItemFilters, has_filter
from trainer.index.leaves import balanced_leaves
from trainer.index.top_k import blocked_top_k
from trainer.index.wanted import Wanted

_SKETCH_SAMPLE = 100_000


class IvfSearch(CatalogueSearch):
    """Searches the leaves whose centres score highest, first by sketch, then exactly.

    An item's score is that of its leaf's centre plus the inner product with its residual, the difference from the
    centre. Of the residuals only the first principal components are read, the sketch, in one gather of whole leaves.
    The best by centre and sketch are then scored with their own vectors, so scores are exact and only recall is not.

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
        axes = _principal_axes(residuals.reshape(-1, width), min(config.num_sketch_dims, width))
        self._num_probed = config.num_probed_leaves
        self._rerank_factor = config.rerank_factor
        self._leaf_size = leaves.rows.shape[1]
        self._item_vectors = tf.Variable(item_vectors, trainable=False, name="item_vectors")
        self._centres = tf.Variable(leaves.centres.T, trainable=False, name="leaf_centres")
        self._rows = tf.Variable(leaves.rows, trainable=False, name="leaf_rows")
        self._axes = tf.Variable(axes, trainable=False, name="sketch_axes")
        sketches = np.ascontiguousarray((residuals @ axes).transpose(0, 2, 1))
        self._sketches = tf.Variable(sketches, trainable=False, name="leaf_sketches")

    @property
    def num_leaves(self) -> int:
        """Leaves of the index."""
        return self._centres.shape[1]

    def search(self, user_vectors: tf.Tensor, wanted: Wanted) -> tuple[tf.Tensor, tf.Tensor]:
        """See `CatalogueSearch.search`; items in the leaves that are not searched are not found."""
        leaf_scores = tf.matmul(user_vectors, self._centres)
        probed = self._num_probed_by_request(wanted, tf.shape(user_vectors)[0])
        num_probed = tf.reduce_max(probed)
        leaf_scores, leaf = tf.math.top_k(leaf_scores, num_probed)
        sketches = tf.gather(self._sketches, leaf)  # [B, P, num_sketch_dims, leaf_size]
        user_sketches = tf.matmul(user_vectors, self._axes)[:, tf.newaxis, tf.newaxis]
        scores = tf.squeeze(tf.matmul(user_sketches, sketches), axis=2) + leaf_scores[..., tf.newaxis]
        rows = tf.gather(self._rows, leaf)
        rows = tf.where((tf.range(num_probed) < probed[:, tf.newaxis])[..., tf.newaxis], rows, 0)
        flat = [tf.shape(rows)[0], num_probed * self._leaf_size]
        rows, scores = tf.reshape(rows, flat), tf.reshape(scores, flat)
        rows = self._allowed_rows(rows, wanted)
        scores = tf.where(rows > 0, scores, signatures.LOWEST_SCORE)
        _, column = blocked_top_k(scores, wanted.size * self._rerank_factor)
        rows = tf.gather(rows, column, batch_dims=1)
        scores = tf.where(rows > 0, self.score(user_vectors, rows), signatures.LOWEST_SCORE)
        return self._best(rows, scores, wanted.size)

    def score(self, user_vectors: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """See `CatalogueSearch.score`."""
        return tf.einsum("bd,bnd->bn", user_vectors, tf.gather(self._item_vectors, rows))

    def _num_probed_by_request(self, wanted: Wanted, batch_size: tf.Tensor) -> tf.Tensor:
        default = tf.fill([batch_size], self._num_probed)
        asked = wanted.num_probed_leaves
        probed = default if asked is None else tf.where(asked > 0, asked, default)
        return tf.minimum(probed, self.num_leaves)

    def _allowed_rows(self, rows: tf.Tensor, wanted: Wanted) -> tf.Tensor:
        """`rows` `[B, N]`, 0 where one is excluded or filtered out."""
        left = tf.where(wanted.excludes(rows, self._item_vectors.shape[0]), 0, rows)
        if not wanted.filters:
            return left
        return tf.cond(
            has_filter(wanted.filters),
            lambda: tf.where(self.filters.allowed(wanted.filters, left), left, 0),
            lambda: left,
        )

    def _best(self, rows: tf.Tensor, scores: tf.Tensor, size: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The best `size`, padded where the leaves held fewer than the catalogue could give."""
        size = tf.minimum(size, self._item_vectors.shape[0])
        best, column = tf.math.top_k(scores, tf.minimum(size, tf.shape(scores)[1]))
        rows = tf.gather(rows, column, batch_dims=1)
        padding = [[0, 0], [0, size - tf.shape(rows)[1]]]
        return tf.pad(rows, padding), tf.pad(best, padding, constant_values=signatures.LOWEST_SCORE)


def _principal_axes(residuals: np.ndarray, num_axes: int) -> np.ndarray:
    """The directions of largest spread, `[D, num_axes]`."""
    sample = residuals[:: max(len(residuals) // _SKETCH_SAMPLE, 1)]
    _, vectors = np.linalg.eigh(sample.T @ sample)
    return np.ascontiguousarray(vectors[:, ::-1][:, :num_axes])
