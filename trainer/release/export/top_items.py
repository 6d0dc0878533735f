"""The best items of each request, as the recommending signatures answer them."""

import tensorflow as tf

from serving import signatures
from trainer.data.item_lookup import ItemLookup


def top_items(scores: tf.Tensor, rows: tf.Tensor, size: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Best items by score.

    Args:
      scores: float `[B, N]`; `LOWEST_SCORE` for what must not be chosen.
      rows: int32 `[B, N]`, the catalogue row of each score.
      size: number of items to choose, int32; all when N is smaller.

    Returns:
      Rows int32 and scores float, both `[B, min(size, N)]`, the best first. What must not be chosen has row 0
      and comes last.
    """
    best, column = tf.math.top_k(scores, tf.minimum(size, tf.shape(scores)[1]))
    chosen = tf.gather(rows, column, batch_dims=1)
    return tf.where(best > signatures.LOWEST_SCORE, chosen, 0), best


def answer(rows: tf.Tensor, scores: tf.Tensor, k: tf.Tensor, lookup: ItemLookup) -> dict[str, tf.Tensor]:
    """Outputs of a recommending signature.

    Args:
      rows: int32 `[B, n]`, best first, 0 where there is no item.
      scores: float `[B, n]`.
      k: int32 `[B]`, items wanted by each request; below 0 is 0.
      lookup: gives the item ids.

    Returns:
      `item_id` string `[B, K]` and `score` float `[B, K]`, K = max(k), with `""` and `LOWEST_SCORE` in the
      slots beyond a request's `k` and beyond what was found.
    """
    size = tf.maximum(tf.reduce_max(k), 0)
    rows, scores = rows[:, :size], scores[:, :size]
    padding = [[0, 0], [0, size - tf.shape(rows)[1]]]
    rows, scores = tf.pad(rows, padding), tf.pad(scores, padding)
    rows = tf.where(tf.range(size) < k[:, tf.newaxis], rows, 0)
    return {
        signatures.ITEM_ID: lookup.ids(rows),
        signatures.SCORES: tf.where(rows > 0, scores, signatures.LOWEST_SCORE),
    }
