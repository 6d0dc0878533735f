"""Kendall's rank correlation of scores and labels inside logged lists."""

import tensorflow as tf


class KendallTau(tf.keras.metrics.Mean):
    """Mean of Kendall's τ-b (Kendall, Biometrika 1945) between the scores and the labels of a list's real items.

        τ = Σ_{i<j} sgn(s_i − s_j) sgn(ℓ_i − ℓ_j) / √(#{i<j : s_i ≠ s_j} · #{i<j : ℓ_i ≠ ℓ_j})

    1 where the scores order the items as the labels do, −1 where they reverse them. Lists whose scores or whose labels
    are all the same have no τ and do not count. Memory grows with `list_size²`.

    Args:
      name: name of the metric.
      dtype: of the result.
    """

    def __init__(self, name: str = "kendall_tau", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, scores: tf.Tensor, labels: tf.Tensor, where: tf.Tensor) -> None:
        """Adds a batch of `[..., list_size]` scores, labels and bool mask."""
        where = tf.convert_to_tensor(where)
        pairs = tf.cast(where[..., :, tf.newaxis] & where[..., tf.newaxis, :], tf.float32)
        scores, labels = _signs(scores) * pairs, _signs(labels) * pairs
        # All sums take each pair twice, which cancels.
        concordance = tf.reduce_sum(scores * labels, axis=[-2, -1])
        norm = tf.sqrt(tf.reduce_sum(scores**2, axis=[-2, -1])) * tf.sqrt(tf.reduce_sum(labels**2, axis=[-2, -1]))
        super().update_state(tf.math.divide_no_nan(concordance, norm), sample_weight=norm > 0)

    def get_config(self) -> dict[str, object]:
        return {"name": self.name, "dtype": self.dtype}


def _signs(values: tf.Tensor) -> tf.Tensor:
    """Returns float32 `[..., list_size, list_size]`, the sign of each value minus each other; equal infinities tie."""
    values = tf.convert_to_tensor(values)
    row, column = values[..., :, tf.newaxis], values[..., tf.newaxis, :]
    return tf.cast(row > column, tf.float32) - tf.cast(row < column, tf.float32)
