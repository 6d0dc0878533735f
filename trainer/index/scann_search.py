"""Approximate search by ScaNN, for servers that have its operations."""

from types import ModuleType

import numpy as np
import tensorflow as tf

from serving import signatures
from trainer.config.index import IndexConfig
from trainer.index.catalogue_search import CatalogueSearch
from trainer.index.item_filters import ItemFilters, has_filter
from trainer.index.search_query import SearchQuery

_MIN_ITEMS_OF_TREE = 1_000
_SAMPLE_PER_LEAF = 256
_DIMS_PER_BLOCK = 2
_ANISOTROPIC_THRESHOLD = 0.2  # of the paper's experiments
_FILTERED_FACTOR = 10


class ScannSearch(CatalogueSearch):
    """ScaNN's tree with asymmetric hashing and exact re-ranking (Guo et al., ICML 2020).

    ScaNN knows no exclusions and no filters, so it is asked for as many items more as a request excludes, and for ten
    times as many where one filters; a filter that few items pass can leave an answer short. A batch is searched with
    the most leaves of any of its requests.

    Args:
      item_vectors: float32 `[num_items + 1, D]`.
      filters: of the catalogue.
      config: of the index.

    Raises:
      ValueError: ScaNN is not installed.
    """

    def __init__(self, item_vectors: np.ndarray, filters: ItemFilters, config: IndexConfig) -> None:
        super().__init__(filters)
        self._num_items = len(item_vectors) - 1
        self._num_leaves = min(config.num_leaves or round(self._num_items**0.5), self._num_items)
        self._num_probed = config.num_probed_leaves
        self._rerank_factor = config.rerank_factor
        self._item_vectors = tf.Variable(item_vectors, trainable=False, name="item_vectors")
        builder = scann_ops().builder(item_vectors[1:], 1, "dot_product")
        if self._num_items < _MIN_ITEMS_OF_TREE:
            builder = builder.score_brute_force()
        else:
            sample_size = min(self._num_items, _SAMPLE_PER_LEAF * self._num_leaves)
            builder = builder.tree(self._num_leaves, min(self._num_probed, self._num_leaves), sample_size)
            builder = builder.score_ah(_DIMS_PER_BLOCK, anisotropic_quantization_threshold=_ANISOTROPIC_THRESHOLD)
            builder = builder.reorder(self._rerank_factor)
        self._searcher = builder.build().serialize_to_module()  # variables, from which a server makes the searcher

    def search(self, user_vectors: tf.Tensor, query: SearchQuery) -> tuple[tf.Tensor, tf.Tensor]:
        """See `CatalogueSearch.search`; items that ScaNN does not find are missing."""
        size = tf.minimum(query.size, self._num_items + 1)
        found = tf.maximum(size, 1) + tf.shape(query.excluded_row)[1]
        if query.filters:
            found = tf.where(has_filter(query.filters), found * _FILTERED_FACTOR, found)
        found = tf.minimum(found, self._num_items)
        searcher = scann_ops().searcher_from_module(self._searcher)
        index, distance = searcher.search_batched(
            user_vectors,
            final_num_neighbors=found,
            pre_reorder_num_neighbors=tf.minimum(found * self._rerank_factor, self._num_items),
            leaves_to_search=self._most_probed(query),
        )
        # Where it finds fewer, ScaNN fills up with the first item at no distance.
        rows = tf.where(tf.math.is_nan(distance), 0, tf.cast(index, tf.int32) + 1)
        allowed = (rows > 0) & ~query.excludes(rows, self._num_items + 1)
        if query.filters:
            allowed &= self.filters.allowed(query.filters, rows)
        scores = tf.where(allowed, self.score(user_vectors, rows), signatures.LOWEST_SCORE)
        best, column = tf.math.top_k(scores, tf.minimum(size, tf.shape(rows)[1]))
        rows = tf.where(best > signatures.LOWEST_SCORE, tf.gather(rows, column, batch_dims=1), 0)
        padding = [[0, 0], [0, size - tf.shape(rows)[1]]]
        return tf.pad(rows, padding), tf.pad(best, padding, constant_values=signatures.LOWEST_SCORE)

    def score(self, user_vectors: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """See `CatalogueSearch.score`."""
        return tf.einsum("bd,bnd->bn", user_vectors, tf.gather(self._item_vectors, rows))

    def _most_probed(self, query: SearchQuery) -> tf.Tensor:
        asked = query.num_probed_leaves
        most = self._num_probed if asked is None else tf.reduce_max(tf.where(asked > 0, asked, self._num_probed))
        return tf.minimum(most, self._num_leaves)


def scann_ops() -> ModuleType:
    """Returns ScaNN's operations.

    Raises:
      ValueError: ScaNN is not installed.
    """
    try:
        from scann import scann_ops as operations
    except ImportError as error:
        raise ValueError(
            "`index.kind` 'scann' needs the package scann: pip install scann==1.3.0. "
            f"Received: kind='scann' without it ({error})"
        ) from None
    return operations
