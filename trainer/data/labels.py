"""The graded label of every logged candidate."""

import tensorflow as tf

from trainer.data.request_batch import padded


def graded_labels(stage: tf.RaggedTensor, rank: tf.RaggedTensor, label: tf.RaggedTensor) -> tf.Tensor:
    """The labels as logged; where a request has none, deeper stages first and better ranks before worse ones.

    Args:
      stage: int64, ragged `[B, (candidates)]`, the deepest stage that a candidate reached.
      rank: int64, of the same shape, its rank there from 1; 0 = unknown.
      label: float32, ragged, of the same row lengths or empty rows.

    Returns:
      float32 `[B, N]`, N the most candidates of a request; padding is 0.
    """
    dense_rank = tf.cast(rank.to_tensor(), tf.float32)
    # A known rank adds a part below 1, an unknown one nothing.
    by_stage = tf.cast(stage.to_tensor(), tf.float32) + tf.where(dense_rank > 0, 1 / (1 + dense_rank), 0.0)
    has_labels = label.row_lengths() > 0
    return tf.where(has_labels[:, tf.newaxis], padded(label, tf.shape(by_stage)[1]), by_stage)
