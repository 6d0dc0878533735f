"""SoftSort, the simplest relaxation of sorting, aware of padding."""

import tensorflow as tf

from trainer.sorting.survival import LOG_ZERO, Survival, prepare, survival_of_permutation


def soft_sort(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 1.0,
) -> Survival:
    """Relaxes the top `k` of each list with SoftSort (Prillo and Eisenschlos, ICML 2020, Eq. 3).

    With `s_[r]` the `r`-th largest score among the real items, the row of position `r` is

        P_r = softmax_j( -|s_[r] - s_j| / temperature ).

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
      >>> soft_sort(tf.constant([3.0, 1.0, 2.0]), 1, temperature=0.01).head
      [1.0, 0.0, 0.0]
    """
    scores, where, temperature = prepare(scores, where, temperature)
    order = tf.argsort(tf.where(where, scores, tf.cast(LOG_ZERO, scores.dtype)), direction="DESCENDING", stable=True)
    ordered = tf.gather(scores, order, batch_dims=scores.shape.rank - 1)
    logits = -tf.abs(ordered[..., :, tf.newaxis] - scores[..., tf.newaxis, :]) / temperature[..., tf.newaxis]
    return survival_of_permutation(logits, k, where)
