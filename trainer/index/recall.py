"""How much of the exact answer an index finds."""

import numpy as np
import tensorflow as tf

from trainer.index.catalogue_search import CatalogueSearch
from trainer.index.exact_search import ExactSearch
from trainer.index.search_query import SearchQuery

KS = (10, 100)
_BATCH_SIZE = 32


def index_recall(
    search: CatalogueSearch, exact: ExactSearch, user_vectors: np.ndarray, num_probed_leaves: int | None = None
) -> dict[str, float]:
    """Measures an index by the exact search of the same vectors.

    Args:
      search: the index.
      exact: of the same item vectors.
      user_vectors: float32 `[N, D]` of real requests.
      num_probed_leaves: to search; `None` is the index's own number.

    Returns:
      `recall@10` and `recall@100`: the share of the exact best k that is among the index's best k, averaged over
      the requests; k is the number of items where the catalogue has fewer.
    """
    found: dict[int, list[float]] = {k: [] for k in KS}
    for start in range(0, len(user_vectors), _BATCH_SIZE):
        vectors = tf.constant(user_vectors[start : start + _BATCH_SIZE])
        probed = None if num_probed_leaves is None else tf.fill([len(vectors)], num_probed_leaves)
        query = SearchQuery(max(KS), tf.zeros([len(vectors), 0], tf.int32), num_probed_leaves=probed)
        rows, exact_rows = (each.search(vectors, query)[0].numpy() for each in (search, exact))
        for k in KS:
            for of_index, of_exact in zip(rows[:, :k], exact_rows[:, :k], strict=True):
                best = of_exact[of_exact > 0]
                found[k].append(np.isin(best, of_index).mean())
    return {f"recall@{k}": float(np.mean(shares)) for k, shares in found.items()}
