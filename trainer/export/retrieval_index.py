"""Exact search of the whole catalogue with precomputed item vectors."""

import tensorflow as tf

from serving import signatures
from trainer.cascade_model import CascadeModel
from trainer.export.request_inputs import Batch

_ITEMS_PER_BLOCK = 8192


class RetrievalIndex:
    """The retrieval stage with the vector of every catalogue item.

    Args:
      model: the trained cascade, whose first stage is the retrieval stage.
    """

    def __init__(self, model: CascadeModel) -> None:
        self._stage = model.stages[0]
        num_rows = model.item_table.encoded.shape[0]
        blocks = [
            self._stage.item_vectors(tf.range(start, min(start + _ITEMS_PER_BLOCK, num_rows)))
            for start in range(0, num_rows, _ITEMS_PER_BLOCK)
        ]
        self._item_vectors = tf.Variable(tf.concat(blocks, 0), trainable=False, name="item_vectors")

    def find(self, batch: Batch, excluded_row: tf.Tensor, size: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The items of highest score that are not excluded.

        Args:
          batch: the request part of a batch.
          excluded_row: int32 `[B, E]`, 0 = nothing.
          size: number of items wanted, int32.

        Returns:
          Rows int32 and scores float, both `[B, min(size, num_items + 1)]`, best first; row 0 stands for no item.
        """
        scores = tf.matmul(self._stage.user_vectors(batch), self._item_vectors, transpose_b=True)
        batch_size, num_rows = tf.shape(scores)[0], tf.shape(scores)[1]
        # Row 0, the unknown item, is never recommended.
        blocked = tf.pad(excluded_row, [[0, 0], [1, 0]])
        request = tf.broadcast_to(tf.range(batch_size)[:, tf.newaxis], tf.shape(blocked))
        lowest = tf.fill(tf.shape(blocked), tf.constant(signatures.LOWEST_SCORE, scores.dtype))
        scores = tf.tensor_scatter_nd_update(scores, tf.stack([request, blocked], axis=-1), lowest)
        best, row = tf.math.top_k(scores, tf.minimum(size, num_rows))
        return tf.where(best > signatures.LOWEST_SCORE, row, 0), best

    def score(self, batch: Batch, row: tf.Tensor) -> tf.Tensor:
        """Scores of catalogue rows int32 `[B, N]`, float `[B, N]`."""
        return tf.einsum("bd,bnd->bn", self._stage.user_vectors(batch), tf.gather(self._item_vectors, row))
