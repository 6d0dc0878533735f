"""What a batch of requests asks of the catalogue."""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

UNKNOWN_VALUE, NO_VALUE = -1, -2


@dataclasses.dataclass(frozen=True)
class SearchQuery:
    """How many items, and which are allowed.

    Args:
      size: items wanted, int32, the most of any request of the batch.
      excluded_row: int32 `[B, E]`, catalogue rows that are not allowed; 0 is none.
      filters: by item feature, int32 `[B, F]`, the encoded values of which an item must have one. -1 is a value that no
        item has, -2 is padding; a request with nothing but padding allows all values.
      num_probed_leaves: int32 `[B]`, leaves to search; 0 takes the index's. `None` does so for all.
    """

    size: int | tf.Tensor
    excluded_row: tf.Tensor
    filters: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)
    num_probed_leaves: tf.Tensor | None = None

    def excludes(self, rows: tf.Tensor, num_rows: int) -> tf.Tensor:
        """Whether catalogue rows are excluded, for any number of exclusions.

        Args:
          rows: int32 `[B, N]`.
          num_rows: of the catalogue, row 0 included.

        Returns:
          bool `[B, N]`.
        """
        return tf.cond(
            tf.reduce_any(self.excluded_row > 0),
            lambda: tf.gather(marked(self.excluded_row, num_rows), rows, batch_dims=1),
            lambda: tf.zeros(tf.shape(rows), tf.bool),
        )


def marked(columns: tf.Tensor, num_columns: int) -> tf.Tensor:
    """Returns bool `[B, num_columns]`, true in the columns int32 `[B, M]`."""
    request = tf.broadcast_to(tf.range(tf.shape(columns)[0])[:, tf.newaxis], tf.shape(columns))
    return tf.tensor_scatter_nd_update(
        tf.zeros([tf.shape(columns)[0], num_columns], tf.bool),
        tf.stack([request, columns], axis=-1),
        tf.ones(tf.shape(columns), tf.bool),
    )
