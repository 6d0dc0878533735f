"""What the losses of logged lists share: their masks, their ranks and their reduction."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.global_batch import mean_over_replicas, num_replicas
from trainer.sorting.survival import real_items


def masks(ground_truth: tf.Tensor, where: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns bool ground truth, false on padding, and bool `where`, both `[..., list_size]`."""
    ground_truth = tf.cast(ground_truth, tf.bool)
    where = real_items(ground_truth, where)
    return ground_truth & where, where


def real_values(values: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns scores or labels in at least float32, `[..., list_size]`, with zero and no gradient outside `where`."""
    values = tf.convert_to_tensor(values)
    if values.dtype != tf.float64:
        values = tf.cast(values, tf.float32)
    return tf.where(where, values, 0.0)


def count(mask: tf.Tensor) -> tf.Tensor:
    """Returns int32 `[...]`, how many items of a bool mask `[..., list_size]` are true."""
    return tf.reduce_sum(tf.cast(mask, tf.int32), axis=-1)


def has_both(ground_truth: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns bool `[...]`: does a list have both ground truth and other real items?"""
    size = count(ground_truth)
    return (size > 0) & (size < count(where))


def has_order(labels: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns bool `[...]`: does a list have two real items with different labels?"""
    best = tf.reduce_max(tf.where(where, labels, labels.dtype.min), axis=-1)
    return best > tf.reduce_min(tf.where(where, labels, labels.dtype.max), axis=-1)


def better_pairs(labels: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns bool `[..., list_size, list_size]`: are both items real, and the row's label the larger one?"""
    real = where[..., :, tf.newaxis] & where[..., tf.newaxis, :]
    return real & (labels[..., :, tf.newaxis] > labels[..., tf.newaxis, :])


def ranks(scores: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns int32 `[..., list_size]`, 0 for the best item of `where`; equal scores rank by position."""
    scores = tf.where(where, scores, -float("inf"))
    return tf.argsort(tf.argsort(scores, direction="DESCENDING", stable=True))


def check_one_per_stage(name: str, values: Sequence[Any], scores_by_stage: Sequence[tf.Tensor]) -> None:
    """Raises a `ValueError` unless there are as many `values` as stages."""
    if len(values) != len(scores_by_stage):
        raise ValueError(
            f"`{name}` must have one entry per stage. Received: {len(values)} entries for {len(scores_by_stage)} stages"
        )


def mean_over_lists(item_losses: tf.Tensor, where: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Averages over the items of each list, then over the lists.

    Args:
      item_losses: `[..., list_size]`; what stands outside `where` and `counted` is ignored, even if not finite.
      where: bool `[..., list_size]`, the items that count.
      counted: bool `[...]`, the lists that count.

    Returns:
      A scalar, zero if no list counts.
    """
    mask = where & counted[..., tf.newaxis]
    total = tf.reduce_sum(tf.where(mask, item_losses, 0.0), axis=-1)
    return mean_of_lists(total / tf.cast(tf.maximum(count(mask), 1), item_losses.dtype), counted)


def mean_of_lists(list_losses: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Averages `[...]` losses over the lists of the global batch that count, bool `[...]`; zero if none does."""
    num_lists = mean_over_replicas(tf.reduce_sum(tf.cast(counted, list_losses.dtype)))
    return tf.reduce_sum(tf.where(counted, list_losses, 0.0)) / tf.maximum(num_lists, 1 / num_replicas())
