"""Arithmetic that several losses share: a bounded logarithm, and learned weights of their terms."""

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


def uncertainty_weighted(losses: tf.Tensor, log_variances: tf.Tensor) -> tf.Tensor:
    """Weights each loss by a learned variance and sums them (Kendall et al., CVPR 2018, Eq. 7).

        Σ_t ½·exp(-a_t)·L_t + ½·a_t,    a_t = ln w_t²

    Learning `a_t` rather than the `w_t` of LCRON, arXiv 2503.09492, Eq. 13, gives the same values but no
    logarithm of a negative number and no pole. The minimum over `a_t` is at `a_t = ln L_t`.

    Args:
      losses: `[...]`, not negative.
      log_variances: `[...]` alike, the trained `a_t`; zero weights every loss by one half.

    Returns:
      A scalar.
    """
    log_variances = tf.cast(log_variances, losses.dtype)
    return tf.reduce_sum(0.5 * tf.exp(-log_variances) * losses + 0.5 * log_variances)
