"""Sparse soft top-k: probabilities that reach 0 and 1."""

import tensorflow as tf

from trainer.sorting.implicit_threshold import implicit_threshold
from trainer.sorting.survival import LOG_ZERO, Survival


def sparse_top_k(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 1.0,
) -> Survival:
    """Relaxes the top `k` of each list with the sparse soft top-k (Sander et al., ICML 2023, with the 2-norm).

    The operator projects `s / temperature` on the probabilities with `Σ_j p_j = k`, which gives

        p_j = clip((s_j - b) / temperature, 0, 1),    b such that Σ_j p_j = k.

    An item farther than the temperature from the cut has a probability of exactly 0 or 1 and no gradient:
    `log_head` or `log_tail` is `LOG_ZERO` there, so a loss that takes the logarithm needs an `epsilon`. The gradient of
    `b` is exact, by the implicit function theorem. Time is `O(list_size·log(list_size))` and memory `O(list_size)`
    per list.

    In float32 each `p_j` is exact to 1e-7, so `Σ_j p_j = k` holds to `1e-7·list_size`, at any temperature.

    Args:
      scores: `[..., list_size]`, larger is better.
      k: size of the head, an int or an int tensor `[...]` with one size per list.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: positive; a float or a tensor `[...]`.

    Returns:
      The survival of each item, `[..., list_size]`, in float32 (float64 for float64 scores).

    Raises:
      ValueError: if `temperature` is a number that is not positive.

    Example:
      >>> sparse_top_k(tf.constant([3.0, 1.0, 2.0]), 1, temperature=2.0).head
      [0.75, 0.0, 0.25]
    """
    # Bisection may have to find the linear piece before a Newton step solves it.
    return implicit_threshold(
        scores, k, where=where, temperature=temperature, log_cdf=_log_cdf, log_density=_log_density, num_steps=24
    )


def _log_cdf(z: tf.Tensor) -> tf.Tensor:
    p = tf.clip_by_value(z + 0.5, 0.0, 1.0)
    return tf.where(p > 0, tf.math.log(tf.where(p > 0, p, 1.0)), LOG_ZERO)


def _log_density(z: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.abs(z) < 0.5, tf.zeros_like(z), LOG_ZERO)
