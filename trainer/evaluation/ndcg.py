"""Normalised discounted cumulative gain inside logged lists, TensorFlow Ranking's."""

from typing import Any

import tensorflow as tf
import tensorflow_ranking as tfr


@tf.keras.utils.register_keras_serializable("lcron")
def linear_gain(label: tf.Tensor) -> tf.Tensor:
    """Returns the label itself as the gain, zero where it is negative."""
    return tf.maximum(tf.cast(label, tf.float32), 0.0)


class Ndcg(tfr.keras.metrics.NDCGMetric):
    """Mean NDCG of the first `top_n` positions, with the label as gain.

        DCG = Σ_{r ≤ top_n} label_[r] / log2(r + 1),    NDCG = DCG / (DCG of the best order)

    Ties are broken at random; scikit-learn's `ndcg_score`, by which LCRON (arXiv 2503.09492) is reported, gives the
    mean over their orders, so the two agree where no scores tie and in expectation. Lists in which no item has a
    positive label do not count.

    Args:
      top_n: positions that count; `None` counts all.
      name: name of the metric.
      dtype: of the result.
    """

    def __init__(self, top_n: int | None = None, name: str = "ndcg", dtype: str | None = None) -> None:
        super().__init__(name=name, topn=top_n, gain_fn=linear_gain, dtype=dtype)
        self.top_n = top_n

    def update_state(self, scores: tf.Tensor, labels: tf.Tensor, where: tf.Tensor) -> None:
        """Adds a batch of `[batch_size, list_size]` scores, labels (not negative) and bool mask."""
        labels = tf.where(where, tf.cast(labels, tf.float32), -1.0)  # TensorFlow Ranking's mark of padding
        counts = tf.reduce_any(labels > 0, axis=-1)
        super().update_state(tf.boolean_mask(labels, counts), tf.boolean_mask(tf.cast(scores, tf.float32), counts))

    def get_config(self) -> dict[str, Any]:
        return {"top_n": self.top_n, "name": self.name, "dtype": self.dtype}
