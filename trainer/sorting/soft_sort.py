"""SoftSort, the simplest relaxation of sorting, aware of padding."""

import tensorflow as tf

from trainer.sorting.sorted_lists import SortedLists, sort_lists
from trainer.sorting.streamed import prefers_streaming, streamed_survival
from trainer.sorting.survival import (
    LOG_ZERO,
    Survival,
    log_softmax_rows,
    prepare,
    real_items,
    survival_of_permutation,
)


def soft_sort(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 1.0,
    streamed: bool | None = None,
) -> Survival:
    """Relaxes the top `k` of each list with SoftSort (Prillo and Eisenschlos, ICML 2020, Eq. 3).

    With `s_[r]` the `r`-th largest score among the real items, the row of position `r` is

        P_r = softmax_j( -|s_[r] - s_j| / temperature ).

    Time is `O(list_size²)` per list; so is memory, or `O(list_size)` where the matrix is streamed.

    Args:
      scores: `[..., list_size]`, larger is better.
      k: size of the head, an int or an int tensor `[...]` with one size per list.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: positive; a float or a tensor `[...]`.
      streamed: whether to sum the matrix block by block of its rows rather than to hold it: the same values and
        gradients, but no second derivatives. `None` streams lists of unknown length or longer than `DENSE_LIMIT`.

    Returns:
      The survival of each item, `[..., list_size]`, in float32 (float64 for float64 scores).

    Raises:
      ValueError: if `temperature` is a number that is not positive.

    Example:
      >>> soft_sort(tf.constant([3.0, 1.0, 2.0]), 1, temperature=0.01).head
      [1.0, 0.0, 0.0]
    """
    scores = tf.convert_to_tensor(scores)
    if prefers_streaming(scores, streamed):
        return _streamed(sort_lists(scores, k, where, temperature))
    permutation = soft_sort_permutation(scores, where=where, temperature=temperature)
    return survival_of_permutation(permutation, k, real_items(scores, where))


def soft_sort_permutation(
    scores: tf.Tensor, *, where: tf.Tensor | None = None, temperature: float | tf.Tensor = 1.0
) -> tf.Tensor:
    """Returns the log of SoftSort's soft permutation matrix, whose rows are in `soft_sort`.

    Args:
      scores: `[..., list_size]`, larger is better.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: positive; a float or a tensor `[...]`.

    Returns:
      `ln P`, `[..., list_size, list_size]`: row = position (the best first), column = item; `LOG_ZERO` in the
      columns of padding and in the rows beyond the number of real items.

    Raises:
      ValueError: if `temperature` is a number that is not positive.
    """
    scores, where, temperature = prepare(scores, where, temperature)
    order = tf.argsort(tf.where(where, scores, tf.cast(LOG_ZERO, scores.dtype)), direction="DESCENDING", stable=True)
    ordered = tf.gather(scores, order, batch_dims=scores.shape.rank - 1)
    logits = -tf.abs(ordered[..., :, tf.newaxis] - scores[..., tf.newaxis, :]) / temperature[..., tf.newaxis]
    return log_softmax_rows(logits, where)


def _streamed(lists: SortedLists) -> Survival:
    def kernel(row: tf.Tensor, score: tf.Tensor) -> tf.Tensor:
        return -tf.abs(row - score)

    items = lists.scores / lists.temperature
    return streamed_survival(lists, kernel, items, items, tf.zeros_like(items))
