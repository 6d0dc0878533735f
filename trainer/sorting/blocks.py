"""Means over runs of neighbouring items of sorted lists."""

import tensorflow as tf


def block_ids(starts: tf.Tensor) -> tf.Tensor:
    """Numbers the blocks of all lists.

    Args:
      starts: bool `[num_lists, list_size]`, true where a block starts; the first item of a list always starts one.

    Returns:
      int32 `[num_lists, list_size]`, from 0 in the first list up to the last block of the last list.
    """
    first = tf.range(tf.shape(starts)[-1]) == 0
    flat = tf.reshape(tf.cast(starts | first, tf.int32), [-1])
    return tf.reshape(tf.cumsum(flat) - 1, tf.shape(starts))


def block_mean(values: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Returns `[num_lists, list_size]`: each item's value replaced by the mean of its block."""
    return tf.gather(tf.math.unsorted_segment_mean(values, ids, tf.size(ids)), ids)


def block_max(values: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Returns `[num_lists, list_size]`: each item's value replaced by the largest of its block."""
    return tf.gather(tf.math.unsorted_segment_max(values, ids, tf.size(ids)), ids)


def block_log_mean_exp(log_values: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Returns `[num_lists, list_size]`: the logarithm of the mean of each item's block, of values in log space."""
    peak = tf.stop_gradient(block_max(log_values, ids))
    return peak + tf.math.log(block_mean(tf.exp(log_values - peak), ids))
