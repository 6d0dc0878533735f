"""What the losses of logged lists share: their masks and their reduction."""

import tensorflow as tf


def masks(ground_truth: tf.Tensor, where: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns bool ground truth, false on padding, and bool `where`, both `[..., list_size]`."""
    ground_truth = tf.cast(ground_truth, tf.bool)
    where = tf.ones_like(ground_truth) if where is None else tf.cast(where, tf.bool)
    return ground_truth & where, where


def count(mask: tf.Tensor) -> tf.Tensor:
    """Returns int32 `[...]`, how many items of a bool mask `[..., list_size]` are true."""
    return tf.reduce_sum(tf.cast(mask, tf.int32), axis=-1)


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
    list_losses = total / tf.cast(tf.maximum(count(mask), 1), item_losses.dtype)
    num_lists = tf.reduce_sum(tf.cast(counted, item_losses.dtype))
    return tf.reduce_sum(list_losses) / tf.maximum(num_lists, 1)
