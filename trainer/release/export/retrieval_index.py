"""Search of the whole catalogue with precomputed item vectors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.index.build import build_search
from trainer.index.exact_search import ExactSearch
from trainer.index.item_filters import ItemFilters
from trainer.index.recall import index_recall
from trainer.index.search_query import SearchQuery
from trainer.model.cascade_model import CascadeModel
from trainer.release.export.request_inputs import Batch

_ITEMS_PER_BLOCK = 8192


class RetrievalIndex:
    """The retrieval stage with the vector of every catalogue item, in the index of `TrainerConfig.index`.

    Args:
      model: the trained cascade, whose first stage is the retrieval stage.
      vocabularies: of the categorical features, as `trainer.data.vocabularies` names them; `None` leaves filters out.

    Raises:
      ValueError: the index filters by something other than categorical item features, or its package is missing.
    """

    def __init__(self, model: CascadeModel, vocabularies: Mapping[str, Sequence[bytes]] | None = None) -> None:
        self.config = model.config.index
        self._stage = model.stages[0]
        names = () if vocabularies is None else self.config.filters
        of_items = {
            name.removeprefix("item/"): values
            for name, values in (vocabularies or {}).items()
            if name.startswith("item/")
        }
        self.filters = ItemFilters(names, model.item_table, of_items)
        num_rows = model.item_table.encoded.shape[0]
        self._item_vectors = np.concatenate(
            [
                self._stage.item_vectors(tf.range(start, min(start + _ITEMS_PER_BLOCK, num_rows))).numpy()
                for start in range(0, num_rows, _ITEMS_PER_BLOCK)
            ]
        )
        self._search = build_search(self.config, self._item_vectors, self.filters)
        self._find = tf.function(self._search_for, autograph=False)  # traced once for all signatures that search

    def find(self, batch: Batch, query: SearchQuery) -> tuple[tf.Tensor, tf.Tensor]:
        """The allowed items of highest score, as far as the index finds them.

        Args:
          batch: the request part of a batch.
          query: how many items, and which are allowed.

        Returns:
          Rows int32 and scores float, both `[B, min(query.size, num_items + 1)]`, best first; row 0 is no item.
        """
        return self._find(batch, vars(query) | {"size": tf.convert_to_tensor(query.size)})

    def score(self, batch: Batch, row: tf.Tensor) -> tf.Tensor:
        """Scores of catalogue rows int32 `[B, N]`, float `[B, N]`."""
        return self._search.score(self._stage.user_vectors(batch), row)

    def recall(self, batch: Batch) -> dict[str, float]:
        """Returns the shares of the exact answer that are found, as `index_recall` does.

        Args:
          batch: the request part of a batch of real requests.
        """
        exact = ExactSearch(self._item_vectors, self.filters)
        return index_recall(self._search, exact, self._stage.user_vectors(batch).numpy())

    def _search_for(self, batch: Batch, query: Mapping[str, Any]) -> tuple[tf.Tensor, tf.Tensor]:
        return self._search.search(self._stage.user_vectors(batch), SearchQuery(**query))
