"""Soft ranks by projection onto the permutahedron, cut off at `k`, as a differentiable top-`k`."""

import tensorflow as tf

from trainer.sorting.blocks import block_ids, block_max, block_mean
from trainer.sorting.sorted_lists import SortedLists, sort_lists
from trainer.sorting.survival import Survival


def soft_rank(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 1.0,
    rank_temperature: float | tf.Tensor | None = None,
) -> Survival:
    """Relaxes the top `k` of each list by a sigmoid of soft ranks (Blondel et al., ICML 2020, Prop. 3).

    The soft ranks `r` of the `n` real items, 1 for the best, are the point of the permutahedron (the convex hull of
    the permutations of `1..n`) closest to `-s / temperature`. With the scores in descending order they are

        r_i = v_i - s_i / temperature,    v = isotonic regression, non-increasing, of s_i / temperature + i,

    and an item survives with the probability that its rank is within `k`,

        head_i = σ((k + ½ - r_i) / rank_temperature).

    Choose a `temperature` near the gaps between neighbouring scores. Items that lie it or more apart from their
    neighbours have the ranks of a hard sort, and no gradient; where the whole list spans less than about `n` of it,
    all ranks draw close to the middle, `(n + 1) / 2`, and `k` alone decides the survivals, whose sum is then far from
    `k`. `O(list_size)` memory; a few rounds of `O(list_size)` time after the sort.

    Args:
      scores: `[..., list_size]`, larger is better.
      k: size of the head, an int or an int tensor `[...]` with one size per list. For `k = 0` and for lists of no more
        than `k` items the result is certain.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: of the ranks, in units of the scores, positive; a float or a tensor `[...]`.
      rank_temperature: of the sigmoid, in ranks, positive; a float or a tensor `[...]`. `None` stands for
        `min(temperature, 1)`, so that a cold sort is hard and a warm one is not blurred twice.

    Returns:
      The survival of each item, `[..., list_size]`, in float32 (float64 for float64 scores).

    Raises:
      ValueError: if `temperature` or `rank_temperature` is a number that is not positive.

    Example:
      >>> soft_rank(tf.constant([3.0, 1.0, 2.0]), 1, temperature=0.01).head
      [1.0, 0.0, 0.0]
    """
    if isinstance(rank_temperature, int | float) and rank_temperature <= 0:
        raise ValueError(f"`rank_temperature` must be positive. Received: rank_temperature={rank_temperature}")
    lists = sort_lists(scores, k, where, temperature)
    width = tf.minimum(lists.temperature, 1.0) if rank_temperature is None else lists.per_list(rank_temperature)
    logits = (tf.cast(lists.k, lists.scores.dtype) + 0.5 - _soft_ranks(lists)) / width
    return lists.survival(tf.math.log_sigmoid(logits), tf.math.log_sigmoid(-logits))


def _soft_ranks(lists: SortedLists) -> tf.Tensor:
    """Returns the soft ranks of the sorted items, `[num_lists, list_size]`.

    The regression is constant on blocks of neighbours. In a block an item's soft rank is the mean position minus what
    its score has, in units of the temperature, above the mean score; so scores enter as small differences only.
    """
    position = tf.cast(tf.range(tf.shape(lists.scores)[-1]) + 1, lists.scores.dtype)
    ids = block_ids(_starts_of_blocks(lists))
    surplus = (lists.scores - tf.stop_gradient(block_max(lists.scores, ids))) / lists.temperature
    return block_mean(position + surplus, ids) - surplus


def _starts_of_blocks(lists: SortedLists) -> tf.Tensor:
    """Pools adjacent violators; returns bool `[num_lists, list_size]`, true on the first item of each block.

    Neighbouring blocks belong together if the mean of the first is below that of the second. A round joins all such
    neighbours at once, runs of them included; rounds follow until nothing is left to join.
    """
    scores, temperature = tf.stop_gradient(lists.scores), tf.stop_gradient(lists.temperature)
    position = tf.cast(tf.range(tf.shape(scores)[-1]) + 1, scores.dtype)

    def pool(starts: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        ids = block_ids(starts)
        top = block_max(scores, ids)
        height = block_mean(position + (scores - top) / temperature, ids)  # of the block's mean above `top`
        drop = (tf.roll(top, 1, axis=-1) - top) / temperature + tf.roll(height, 1, axis=-1) - height
        joins = starts & (drop < 0) & lists.where & (position > 1)
        return starts & ~joins, tf.reduce_any(joins)

    starts, _ = tf.while_loop(lambda _, joined: joined, pool, (tf.ones_like(lists.where), tf.constant(True)))
    return starts
