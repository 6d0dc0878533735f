"""The model's batch: its keys, and the request part made by the same operations in training and in serving."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from serving import signatures
from trainer.data.features import EncodedFeature, FeatureSpec

HISTORY_ITEM = "history_item"
HISTORY_WHERE = "history_where"
HISTORY_HIDDEN = "history_hidden"
"""In a training step: events that the step hides from the model, bool `[B, L]`."""
CANDIDATE_ITEM = "candidate_item"
CANDIDATE_STAGE = "candidate_stage"
WHERE = "where"
LABELS = "labels"
GROUND_TRUTH = "ground_truth"
REQUEST_DAY = "request_day"
"""Not a part of the batch, but of what a split says of each request: its day, counted from 1970."""


def history_batch(
    lists: Mapping[str, tf.RaggedTensor],
    features: FeatureSpec,
    item_rows: Callable[[tf.Tensor], tf.Tensor],
) -> dict[str, tf.Tensor]:
    """Cuts histories to their latest events and pads them.

    Args:
      lists: `history_item_id` and each declared `history_<name>`, ragged `[B, (events)]`, oldest first.
      features: declares the history and `history_size`, the L below.
      item_rows: maps item ids to catalogue rows, 0 = unknown, keeping the shape.

    Returns:
      `history_item` int32 `[B, L]`, `history_where` bool `[B, L]` and each `history_<name>` int32 `[B, L]`.

    Raises:
      tf.errors.InvalidArgumentError: a `history_<name>` has not as many values as `history_item_id`.
    """
    item_id = lists[signatures.HISTORY_ITEM_ID]
    size = features.history_size
    latest_row = tf.ragged.map_flat_values(item_rows, item_id)[:, -size:]
    batch = {
        HISTORY_ITEM: padded(latest_row, size),
        HISTORY_WHERE: padded(tf.ones_like(latest_row, tf.bool), size),
    }
    for feature in features.history:
        name = feature.example_name
        message = f"`{name}` must have one value for each of `{signatures.HISTORY_ITEM_ID}`"
        tf.debugging.assert_equal(lists[name].row_lengths(), item_id.row_lengths(), message)
        values = tf.clip_by_value(padded(lists[name][:, -size:], size), 0, feature.cardinality - 1)
        batch[name] = tf.cast(values, tf.int32)
    return batch


def empty_batch(features: FeatureSpec, request_features: Sequence[EncodedFeature]) -> dict[str, tf.Tensor]:
    """A training batch of one request without history and candidates, which builds a model's weights."""
    history, candidates = [1, features.history_size], [1, features.list_size]
    return {
        **{feature.name: tf.zeros([1], tf.int32) for feature in request_features},
        HISTORY_ITEM: tf.zeros(history, tf.int32),
        HISTORY_WHERE: tf.zeros(history, tf.bool),
        **{feature.example_name: tf.zeros(history, tf.int32) for feature in features.history},
        CANDIDATE_ITEM: tf.zeros(candidates, tf.int32),
        CANDIDATE_STAGE: tf.zeros(candidates, tf.int32),
        WHERE: tf.zeros(candidates, tf.bool),
        LABELS: tf.zeros(candidates),
        GROUND_TRUTH: tf.zeros(candidates, tf.bool),
    }


def padded(values: tf.RaggedTensor, size: int | tf.Tensor) -> tf.Tensor:
    """Right-pads or cuts rows of a ragged `[B, (n)]` to a dense `[B, size]`, filling with 0 or false."""
    dense = values.to_tensor()[:, :size]
    # `to_tensor(shape=...)` returns a tensor without columns when every row is empty.
    dense = tf.pad(dense, [[0, 0], [0, size - tf.shape(dense)[1]]])
    return tf.ensure_shape(dense, [None, size if isinstance(size, int) else None])
