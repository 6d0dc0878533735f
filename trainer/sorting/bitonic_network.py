"""The bitonic sorting network as a differentiable top-`k`."""

import tensorflow as tf

from trainer.sorting.sorting_network import Network, SwapKind, network_survival
from trainer.sorting.survival import Survival

_MAX_STAGES = 24  # lists of up to 2^24 items


def bitonic_network(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 1.0,
    swap: SwapKind = "cauchy",
) -> Survival:
    """Relaxes the top `k` of each list with the bitonic sorting network (Petersen et al., ICML 2021 and ICLR 2022).

    Defined as `odd_even_network`, with other layers, `m·(m + 1)/2` for `2^(m-1) < n <= 2^m` real items: few, so it
    suits long lists. Time and memory are `O(list_size·log²(list_size))` per list. Comparing distant items early, it
    may give the better of two items the smaller survival where the swaps are soft.

    Args:
      scores: `[..., list_size]`, larger is better.
      k: size of the head, an int or an int tensor `[...]` with one size per list.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: `1 / steepness` of the swaps, positive; a float or a tensor `[...]`.
      swap: the probability `F(z)` that two items stay as they are, `"cauchy"` or `"logistic"`.

    Returns:
      The survival of each item, `[..., list_size]`, in float32 (float64 for float64 scores).

    Raises:
      ValueError: if `temperature` is a number that is not positive, or `swap` unknown.

    Example:
      >>> bitonic_network(tf.constant([3.0, 1.0, 2.0]), 1, temperature=1e-4).head
      [1.0, 0.0, 0.0]
    """
    return network_survival(bitonic_layers, scores, k, where, temperature, swap)


def bitonic_layers(list_size: tf.Tensor) -> Network:
    """Returns the layers of the bitonic network in the form in which every swap leads the better item forwards.

    Stage `m` merges sorted runs of `2^m` items two by two: its first layer compares the mirror images of the two runs,
    the others items at distances `2^(m-1), .., 2, 1`. In this form an item worse than all others never leaves the
    end of the list. So to leave out the positions beyond `n` real items, and the stages that would merge nothing
    but them, gives exactly the network of `n` items, whatever the padding.
    """
    masks, sizes = [], []
    for stage in range(_MAX_STAGES):
        masks += [2 ** (stage + 1) - 1, *(2**step for step in reversed(range(stage)))]
        sizes += [2**stage] * (stage + 1)
    num_layers = tf.reduce_sum(tf.cast(tf.constant(sizes) < tf.maximum(list_size, 2), tf.int32))  # at least one
    mask, least = tf.constant(masks)[:num_layers], tf.constant(sizes)[:num_layers]
    return Network(offset=tf.zeros_like(mask), mask=mask, least=least)
