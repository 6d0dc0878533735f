"""The top `k` averaged over random perturbations of the scores, as a differentiable top-`k`."""

from collections.abc import Callable

import tensorflow as tf

from trainer.global_batch import Places
from trainer.sorting.blocks import block_ids, block_mean
from trainer.sorting.sorted_lists import SortedLists, sort_lists
from trainer.sorting.survival import Survival


def perturbed_top_k(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 1.0,
    num_samples: int = 128,
    seed: tuple[int, int] | tf.Tensor = (0, 0),
    places: Places | None = None,
) -> Survival:
    """Relaxes the top `k` of each list by adding noise (Berthet et al., NeurIPS 2020; Cordonnier et al., CVPR 2021).

    With `Y(x)` the 0/1 indicator of the hard top `k` of `x` and `z` standard normal, the survival is estimated from `M`
    samples,

        head = E_z[Y(s + temperature·z)] ≈ (Σ_m Y(s + temperature·z_m) + k/n) / (M + 1),

    and so is its vector-Jacobian product,

        gᵀ ∂head/∂s ≈ 1 / (M·temperature) Σ_m (gᵀ Y(s + temperature·z_m)) z_m.

    The `k/n` stands for one sample more, which keeps each of the `n` real items alike: the heads still sum to `k`, and
    no logarithm falls below `-ln(n·(M + 1))` unless `k` is 0 or all survive. An item that all samples agree on
    moves nothing, so choose a `temperature` on the scale of the scores' gaps.

    Samples come in pairs `z`, `-z`, in which all that is even in `z` cancels out of the gradient. Each list draws its
    own noise and each rank in it too, so the result follows from `seed`, the place of the list in the batch and its
    real items, whatever their order and the padding. Items with equal scores share their survival.
    `O(num_samples·list_size)` memory.

    Args:
      scores: `[..., list_size]`, larger is better.
      k: size of the head, an int or an int tensor `[...]` with one size per list.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: standard deviation of the noise, positive; a float or a tensor `[...]`.
      num_samples: `M`, positive and even.
      seed: two ints or an int tensor `[2]`. Equal seeds give equal noise, so training needs one per step.
      places: of the lists in the batch, where they are only a part of it; `None` means they are all of it.

    Returns:
      The survival of each item, `[..., list_size]`, in float32 (float64 for float64 scores).

    Raises:
      ValueError: if `temperature` is a number that is not positive, or `num_samples` not positive and even.

    Example:
      >>> perturbed_top_k(tf.constant([3.0, 1.0, 2.0]), 1, temperature=0.01).head
      [0.995, 0.003, 0.003]
    """
    if num_samples < 2 or num_samples % 2:
        raise ValueError(f"`num_samples` must be positive and even. Received: num_samples={num_samples}")
    lists = sort_lists(scores, k, where, temperature)
    noise = _noise(lists, num_samples // 2, seed, places)
    mean = _mean_top_k(lists.scores / lists.temperature, noise, lists)
    mean = block_mean(mean, block_ids(lists.starts_of_ties()))
    share = tf.cast(lists.k, mean.dtype) / tf.cast(tf.maximum(lists.size, 1), mean.dtype)
    head, tail = num_samples * mean + share, num_samples * (1 - mean) + 1 - share
    uncertain = lists.where & (share > 0) & (share < 1)  # elsewhere one of the two may be 0, and is not used

    def log_mean(total: tf.Tensor) -> tf.Tensor:
        return tf.math.log(tf.where(uncertain, total, 1.0) / (num_samples + 1))

    return lists.survival(log_mean(head), log_mean(tail))


def _noise(lists: SortedLists, num_pairs: int, seed: tuple[int, int] | tf.Tensor, places: Places | None) -> tf.Tensor:
    """Returns standard normal noise, `[num_pairs, num_lists, list_size]`.

    Drawn rank by rank, so that a longer list only draws more; and from integers, as Philox gives the same integers,
    but not the same normal numbers, with XLA and without.
    """
    num_lists, list_size = tf.unstack(tf.shape(lists.scores))
    shape = [list_size, num_pairs, num_lists if places is None else places.num_requests]
    integers = tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg="philox")
    if places is not None:
        integers = tf.gather(integers, places.place, axis=-1)
    uniform = (tf.cast(tf.bitwise.right_shift(integers, 9), lists.scores.dtype) + 0.5) / 2**23 + 0.5  # inside (0, 1)
    return tf.transpose(tf.math.ndtri(uniform), [1, 2, 0])


def _mean_top_k(scores: tf.Tensor, noise: tf.Tensor, lists: SortedLists) -> tf.Tensor:
    """Returns the mean of the top `k` of `scores + noise` and `scores - noise`, with its gradient as an estimate."""

    def top_k(scores: tf.Tensor) -> tf.Tensor:
        scores = tf.where(lists.where, scores, -float("inf"))
        rank = tf.argsort(tf.argsort(scores, direction="DESCENDING", stable=True))
        return tf.cast((rank < lists.k) & lists.where, scores.dtype)

    @tf.custom_gradient
    def estimate(scores: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        plus, minus = top_k(scores + noise), top_k(scores - noise)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            slope = tf.reduce_sum(upstream * (plus - minus), axis=-1, keepdims=True) / 2
            return tf.reduce_mean(tf.where(lists.where, slope * noise, 0.0), axis=0)

        return tf.reduce_mean(plus + minus, axis=0) / 2, gradient

    return estimate(scores)
