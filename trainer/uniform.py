"""Uniform draws that are the same with XLA and without."""

from typing import Any

import tensorflow as tf


def stateless_uniform(shape: Any, seed: tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Draws from `[0, 1)` what `tf.random.stateless_uniform` draws on a CPU, wherever it runs.

    TensorFlow's own numbers differ once XLA compiles them, while Philox gives the same integers. As there, a float is
    made of the last bits of one integer, a double of two.

    Args:
      shape: of the result, ints or an int tensor.
      seed: int `[2]`; equal seeds draw the same.
      dtype: float32 or float64.
    """
    if dtype == tf.float32:
        bits = tf.bitwise.bitwise_and(_integers(shape, seed), 2**23 - 1)
        return tf.cast(bits, dtype) * 2.0**-23
    pairs = _integers(tf.concat([shape, [2]], axis=0), seed)
    high = tf.cast(tf.bitwise.bitwise_and(pairs[..., 0], 2**20 - 1), tf.float64)
    low = tf.cast(pairs[..., 1], tf.float64)
    low = tf.where(low < 0, low + 2.0**32, low)  # an unsigned integer
    return (high * 2.0**32 + low) * 2.0**-52


def _integers(shape: Any, seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg="philox")
