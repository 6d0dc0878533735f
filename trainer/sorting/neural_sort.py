"""NeuralSort, the unimodal relaxation of sorting, aware of padding."""

import tensorflow as tf

from trainer.sorting.blocks import block_ids, block_max
from trainer.sorting.sorted_lists import SortedLists, sort_lists
from trainer.sorting.streamed import prefers_streaming, streamed_survival
from trainer.sorting.survival import Survival, log_softmax_rows, prepare, real_items, survival_of_permutation


def neural_sort(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 1.0,
    streamed: bool | None = None,
) -> Survival:
    """Relaxes the top `k` of each list with NeuralSort (Grover et al., ICLR 2019, Eq. 5).

    For `n` real items the row of position `r = 1..n` of the soft permutation matrix is

        P_r = softmax_j( ((n + 1 - 2r)·s_j - Σ_l |s_j - s_l|) / temperature ),

    where `j` and `l` run over real items only, so a padded list gives what the list without its padding gives.
    Items with equal scores survive equally. Time is `O(list_size²)` per list; so is memory, or `O(list_size)` where the
    matrix is streamed.

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
      >>> neural_sort(tf.constant([3.0, 1.0, 2.0]), 1, temperature=0.01).head
      [1.0, 0.0, 0.0]
    """
    scores = tf.convert_to_tensor(scores)
    if prefers_streaming(scores, streamed):
        return _streamed(sort_lists(scores, k, where, temperature))
    permutation = neural_sort_permutation(scores, where=where, temperature=temperature)
    return survival_of_permutation(permutation, k, real_items(scores, where))


def neural_sort_permutation(
    scores: tf.Tensor, *, where: tf.Tensor | None = None, temperature: float | tf.Tensor = 1.0
) -> tf.Tensor:
    """Returns the log of NeuralSort's soft permutation matrix, whose rows are in `neural_sort`.

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
    distance = tf.abs(scores[..., :, tf.newaxis] - scores[..., tf.newaxis, :])
    spread = tf.reduce_sum(tf.where(where[..., tf.newaxis, :], distance, 0.0), axis=-1)  # [..., list_size]
    size = tf.reduce_sum(tf.cast(where, scores.dtype), axis=-1)[..., tf.newaxis, tf.newaxis]
    position = tf.range(1, tf.shape(scores)[-1] + 1)[:, tf.newaxis]
    slope = size + 1 - 2 * tf.cast(position, scores.dtype)  # [..., list_size, 1]
    logits = (slope * scores[..., tf.newaxis, :] - spread[..., tf.newaxis, :]) / temperature[..., tf.newaxis]
    return log_softmax_rows(logits, where)


def _streamed(lists: SortedLists) -> Survival:
    position = tf.range(1, tf.shape(lists.scores)[-1] + 1)
    slopes = tf.cast(lists.size + 1 - 2 * position, lists.scores.dtype)

    def kernel(slope: tf.Tensor, score: tf.Tensor) -> tf.Tensor:
        return tf.stop_gradient(slope) * score

    items, offsets = lists.scores / lists.temperature, _spread(lists) / lists.temperature
    return streamed_survival(lists, kernel, slopes, items, offsets)


def _spread(lists: SortedLists) -> tf.Tensor:
    """Returns `Σ_l |s_j - s_l|` of each sorted item from prefix sums, `[num_lists, list_size]`.

    A tied item counts neither above nor below its peers, so that the gradient of `|0|` is zero here too.
    """
    scores, dtype = lists.scores, lists.scores.dtype
    index = tf.broadcast_to(tf.range(tf.shape(scores)[-1]), tf.shape(scores))
    ties = block_ids(lists.starts_of_ties())
    above, not_below = -block_max(-index, ties), block_max(index, ties) + 1
    sums = tf.pad(tf.cumsum(scores, axis=-1), [[0, 0], [1, 0]])
    sum_above = tf.gather(sums, above, batch_dims=1)
    sum_below = sums[:, -1:] - tf.gather(sums, not_below, batch_dims=1)
    num_above, num_below = tf.cast(above, dtype), tf.cast(lists.size - not_below, dtype)
    return sum_above - sum_below + (num_below - num_above) * scores
