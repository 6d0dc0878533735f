"""DFTopK: a sigmoid around the middle of the two scores where the list is cut."""

import tensorflow as tf

from trainer.sorting.implicit_threshold import cut_at, survival_at
from trainer.sorting.survival import Survival


def threshold_sigmoid(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 1.0,
) -> Survival:
    """Relaxes the top `k` of each list with a sigmoid around a threshold (DFTopK, arXiv 2510.11472).

    With `s_[r]` the `r`-th largest score among the real items,

        p_j = σ((s_j - θ) / temperature),    θ = (s_[k] + s_[k+1]) / 2.

    The gradient of `θ` flows to the two items that define it; items tied with one of them share its part.
    `Σ_j p_j` is near `k` only if the temperature is cold. Time is `O(list_size·log(list_size))` for the sort and
    memory `O(list_size)` per list.

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
      >>> threshold_sigmoid(tf.constant([3.0, 1.0, 2.0]), 1, temperature=0.01).head
      [1.0, 0.0, 0.0]
    """
    cut = cut_at(scores, k, where, temperature)
    weights = sum(
        tf.math.divide_no_nan(share, 2 * tf.reduce_sum(share, axis=-1, keepdims=True))
        for share in (tf.cast(tied, cut.distance.dtype) for tied in (cut.last_kept, cut.first_cut))
    )
    return survival_at(cut, cut.gap / 2, weights, tf.math.log_sigmoid)
