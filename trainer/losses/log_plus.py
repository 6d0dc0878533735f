"""A bounded logarithm, from log space."""

import math

import tensorflow as tf


def log_plus(log_x: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Returns `ln(x + epsilon)` from `ln x`; with `epsilon = 0` that is `ln x` itself, unbounded.

    Args:
      log_x: `[...]`.
      epsilon: not negative.

    Returns:
      `[...]`.
    """
    if epsilon == 0:
        return log_x
    return math.log(epsilon) + tf.math.softplus(log_x - math.log(epsilon))
