"""The permutation that sorts labels, ties shared."""

import tensorflow as tf

from trainer.losses.lists import better_pairs
from trainer.sorting.survival import real_items


def label_permutation(labels: tf.Tensor, *, where: tf.Tensor | None = None) -> tf.Tensor:
    """Returns the permutation matrix that sorts the labels of each list; tied items share their positions.

    An item with `b` better items and `m` of its own label, itself included, has `1/m` at each of the positions
    `b + 1 .. b + m`. This is the limit of NeuralSort (Grover et al., ICLR 2019, Eq. 5) as its temperature goes to
    zero, free of its rounding errors. Every row and every column of a real item sums to one.

    Args:
      labels: `[..., list_size]`, larger is better.
      where: bool `[..., list_size]`, true on real items; `None` means all are.

    Returns:
      float32 `[..., list_size, list_size]`: row = position (the best first), column = item; zero in the columns of
      padding and in the rows beyond the number of real items.

    Example:
      >>> label_permutation(tf.constant([1, 2, 1]))
      [[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.5, 0.0, 0.5]]
    """
    labels = tf.convert_to_tensor(labels)
    where = real_items(labels, where)
    num_better = _count_rows(better_pairs(labels, where))
    tied = (labels[..., :, tf.newaxis] == labels[..., tf.newaxis, :]) & where[..., :, tf.newaxis]
    num_tied = _count_rows(tied & where[..., tf.newaxis, :])
    position = tf.range(tf.shape(labels)[-1])[:, tf.newaxis]
    shared = (num_better <= position) & (position < num_better + num_tied)
    return tf.where(shared, 1 / tf.cast(tf.maximum(num_tied, 1), tf.float32), 0.0)


def _count_rows(pairs: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(pairs, tf.int32), axis=-2, keepdims=True)  # [..., 1, list_size]
