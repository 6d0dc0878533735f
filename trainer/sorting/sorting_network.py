"""Differentiable sorting networks: layers of soft swaps, run in `O(list_size)` time and memory per layer."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import tensorflow as tf

from trainer.sorting.blocks import block_ids, block_log_mean_exp, block_mean
from trainer.sorting.sorted_lists import sort_lists
from trainer.sorting.survival import LOG_ZERO, Survival

SwapKind = Literal["cauchy", "logistic"]


class Network(NamedTuple):
    """A sorting network, whose layer `t` compares position `i` with position `((i + offset_t) xor mask_t) - offset_t`.

    The better item goes to the smaller position. Positions beyond the list's real items take no part.

    Args:
      offset: int32 `[num_layers]`.
      mask: int32 `[num_layers]`.
      least: int32 `[num_layers]`; only lists of more real items than that have the layer.
    """

    offset: tf.Tensor
    mask: tf.Tensor
    least: tf.Tensor


def network_survival(
    network: Callable[[tf.Tensor], Network],
    scores: tf.Tensor,
    k: int | tf.Tensor,
    where: tf.Tensor | None,
    temperature: float | tf.Tensor,
    swap: SwapKind,
) -> Survival:
    """Relaxes the top `k` of each list with the network made for its list size; arguments as of an operator."""
    lists = sort_lists(scores, k, where, temperature)
    ids = block_ids(lists.starts_of_ties())
    list_size = tf.shape(lists.scores)[-1]
    in_head = tf.range(list_size) < lists.k
    rows = tf.where(tf.stack([in_head, ~in_head]), 0.0, tf.cast(LOG_ZERO, lists.scores.dtype))
    scaled = block_mean(lists.scores, ids) / lists.temperature
    log_head, log_tail = tf.unstack(log_mixture(rows, scaled, lists.size, network(list_size), swap))
    return lists.survival(block_log_mean_exp(log_head, ids), block_log_mean_exp(log_tail, ids))


def log_mixture(log_rows: tf.Tensor, scores: tf.Tensor, size: tf.Tensor, network: Network, swap: SwapKind) -> tf.Tensor:
    """Returns `ln(exp(log_rows)·P)` for the soft permutation matrix `P` (row = position) of a sorting network.

    A layer replaces the scores `a` and `b` of two positions, the first of which is to get the better, by

        a' = p·a + (1 - p)·b,    b' = (1 - p)·a + p·b,    p = F(a - b),

    and `P` is the product of these doubly stochastic matrices (Petersen et al., ICML 2021). The scores alone
    decide the `p`. So once they have gone through the layers, a row vector goes back through them, last layer first,
    in `O(list_size)` per layer, and `P` itself is never formed. In log space nothing underflows.

    Args:
      log_rows: `[num_rows, num_lists, list_size]`.
      scores: `[num_lists, list_size]`, in units of the temperature; real items first.
      size: int32 `[num_lists, 1]`, how many items are real.
      network: for lists of `list_size`.
      swap: the distribution `F`, see the operators.

    Returns:
      `[num_rows, num_lists, list_size]`.

    Raises:
      ValueError: if `swap` is unknown.
    """
    if swap not in _LOG_CDF:
        raise ValueError(f"`swap` must be one of {tuple(_LOG_CDF)}. Received: swap={swap!r}")
    log_cdf = _LOG_CDF[swap]
    list_size = tf.shape(scores)[-1]
    position = tf.range(list_size)

    def partner_of(layer: Network) -> tf.Tensor:
        partner = tf.bitwise.bitwise_xor(position + layer.offset, layer.mask) - layer.offset
        return tf.where((partner >= 0) & (partner < list_size), partner, position)

    def takes_part(layer: Network, partner: tf.Tensor) -> tf.Tensor:
        return (tf.maximum(position, partner) < size) & (partner != position) & (layer.least < size)

    def margin(scores: tf.Tensor, others: tf.Tensor, partner: tf.Tensor) -> tf.Tensor:
        return tf.where(position < partner, scores - others, others - scores)

    def sort_scores(scores: tf.Tensor, layer: Network) -> tf.Tensor:
        partner = partner_of(layer)
        others = _exchange(scores, partner)
        swapped = others + tf.exp(log_cdf(margin(scores, others, partner))) * (scores - others)
        return tf.where(takes_part(layer, partner), swapped, scores)

    def mix_rows(log_rows: tf.Tensor, scores_and_layer: tuple[tf.Tensor, Network]) -> tf.Tensor:
        scores, layer = scores_and_layer
        partner = partner_of(layer)
        margins = margin(scores, _exchange(scores, partner), partner)
        mixed = _log_add(log_rows + log_cdf(margins), _exchange(log_rows, partner) + log_cdf(-margins))
        mixed = tf.where(mixed > LOG_ZERO / 2, mixed, tf.cast(LOG_ZERO, mixed.dtype))
        return tf.where(takes_part(layer, partner), mixed, log_rows)

    after = tf.scan(sort_scores, network, initializer=scores)
    before = tf.concat([scores[tf.newaxis], after[:-1]], axis=0)
    return tf.foldr(mix_rows, (before, network), initializer=log_rows)


@tf.custom_gradient
def _exchange(values: tf.Tensor, partner: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Returns at each position the value of its partner; who is whose partner is mutual, so the gradient is alike."""
    return tf.gather(values, partner, axis=-1), lambda upstream: (tf.gather(upstream, partner, axis=-1), None)


def _log_add(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    peak = tf.stop_gradient(tf.maximum(a, b))
    return peak + tf.math.log(tf.exp(a - peak) + tf.exp(b - peak))


def _log_cauchy(margins: tf.Tensor) -> tf.Tensor:
    # The angle to the axis keeps its precision where `1/2 + atan/π` would cancel.
    return tf.math.log(tf.atan2(tf.ones_like(margins), -margins) / math.pi)


_LOG_CDF: dict[SwapKind, Callable[[tf.Tensor], tf.Tensor]] = {
    "cauchy": _log_cauchy,
    "logistic": tf.math.log_sigmoid,
}
