"""Recall of a stage, or of the cascade from end to end, inside logged lists."""

from collections.abc import Sequence

import tensorflow as tf


def survivors(
    scores_by_stage: Sequence[tf.Tensor], where: tf.Tensor, capacities: Sequence[int | tf.Tensor]
) -> tf.Tensor:
    """Runs the stages one after the other on each list.

    Each stage ranks what the stage before it passed on and keeps the best `capacity` of them. Ties are broken by
    a fixed shuffle of the positions, as logged lists often hold their best items first.

    Args:
      scores_by_stage: `[..., list_size]` scores of each stage, in funnel order.
      where: bool `[..., list_size]`, true on real items.
      capacities: per stage an int, or an int tensor `[...]` with one size per list.

    Returns:
      bool `[..., list_size]`, true on the items that leave the last stage.
    """
    list_size = tf.shape(where)[-1]
    shuffle = tf.argsort(tf.random.stateless_uniform([list_size], seed=(20250309, 2492)))
    restore = tf.argsort(shuffle)
    alive = tf.gather(where, shuffle, axis=-1)
    for scores, capacity in zip(scores_by_stage, capacities, strict=True):
        scores = tf.gather(tf.cast(scores, tf.float32), shuffle, axis=-1)
        scores = tf.where(alive, tf.maximum(scores, scores.dtype.min), -float("inf"))
        rank = tf.argsort(tf.argsort(scores, direction="DESCENDING", stable=True))  # 0 = best
        alive &= rank < tf.cast(capacity, tf.int32)[..., tf.newaxis]
    return tf.gather(alive, restore, axis=-1)


class Recall(tf.keras.metrics.Metric):
    """Mean share of a list's ground truth that leaves the last of the given stages.

    With all stages of a cascade this is its end-to-end recall, with one stage that stage's own recall on the full
    list. Lists without ground truth do not count.

    Args:
      capacities: items that each stage passes on within a list; `None` stands for the size of the list's ground
        truth.
      name: name of the metric.
      dtype: of the result.
    """

    def __init__(self, capacities: Sequence[int | None], name: str = "recall", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.capacities = tuple(capacities)
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, scores_by_stage: Sequence[tf.Tensor], ground_truth: tf.Tensor, where: tf.Tensor) -> None:
        """Adds a batch of `[..., list_size]` scores per stage, bool ground truth and bool mask."""
        ground_truth = tf.cast(ground_truth, tf.bool) & where
        size = tf.reduce_sum(tf.cast(ground_truth, tf.int32), axis=-1)
        capacities = [size if capacity is None else capacity for capacity in self.capacities]
        delivered = ground_truth & survivors(scores_by_stage, where, capacities)
        recall = tf.reduce_sum(tf.cast(delivered, self.total.dtype), axis=-1)
        recall /= tf.cast(tf.maximum(size, 1), recall.dtype)
        self.total.assign_add(tf.reduce_sum(recall))
        self.count.assign_add(tf.reduce_sum(tf.cast(size > 0, recall.dtype)))

    def result(self) -> tf.Tensor:
        """Returns the mean over the lists seen; zero before the first."""
        return tf.math.divide_no_nan(self.total, self.count)

    def get_config(self) -> dict[str, object]:
        return {"capacities": self.capacities, "name": self.name, "dtype": self.dtype}
