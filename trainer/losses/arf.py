"""ARF, adaptive neural ranking: the recall of one stage at its capacity, and the order of all items."""

from typing import NamedTuple

import tensorflow as tf

from trainer.config.losses import Arf, ArfV2
from trainer.global_batch import Batch
from trainer.losses.context import CascadeLossValue, LossContext
from trainer.losses.lists import count, has_both, masks, mean_over_lists
from trainer.losses.permutation_loss import permutation_loss
from trainer.losses.terms import log_plus, uncertainty_weighted
from trainer.sorting.neural_sort import neural_sort, neural_sort_permutation
from trainer.sorting.survival import LOG_ZERO


class ArfLoss(NamedTuple):
    """The loss of one stage and the terms it is made of.

    Args:
      total: scalar, `relaxed` plus the weighted `whole_order`.
      whole_order: scalar, the cross-entropy of the whole order.
      relaxed: scalar, the loss of the ground truth at the stage's capacity.
    """

    total: tf.Tensor
    whole_order: tf.Tensor
    relaxed: tf.Tensor


def arf_loss(
    scores: tf.Tensor,
    labels: tf.Tensor,
    ground_truth: tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    capacity: int | tf.Tensor,
    version: int = 1,
    log_variance: float | tf.Tensor = 0.0,
    temperature: float | tf.Tensor = 200.0,
    epsilon: float = 0.0,
) -> ArfLoss:
    """Asks one stage to keep the ground truth and to sort the list (ARF, Wang et al., WWW 2024, arXiv 2310.10462).

        L = ½·exp(-a)·L_order + ½·a + L_relaxed,

    where `L_order` is `permutation_loss`. With the capacity `m`, the soft permutation `P` of NeuralSort, the ground
    truth `G` and a list's `n` real items, the relaxed term of version 1 is

        L_relaxed = -(1/n) Σ_{j ∈ G} ln( (1/m) Σ_{k≤m} P_kj ),

    whose least value is `|G|·ln(m)/n`, and that of version 2, with `u` and `d` the head and tail of NeuralSort at `m`,

        L_relaxed = -(1/n) [ Σ_{j ∈ G} ln u_j + Σ_{j ∉ G} ln d_j ].

    It is averaged over the lists that have ground truth, negatives and more than `m` items; zero if none has.

    Args:
      scores: `[..., list_size]`, the stage's scores.
      labels: `[..., list_size]`, larger is better; tied items share their positions.
      ground_truth: bool `[..., list_size]`.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      capacity: items that the stage passes on, positive; an int, or an int tensor `[...]` with one size per list.
      version: 1 is ARF, 2 is ARF-v2 of LCRON, arXiv 2503.09492.
      log_variance: scalar, the trained `a`.
      temperature: of NeuralSort; a float or a tensor `[...]`.
      epsilon: added inside the logarithms, which bounds them; 0 computes them in log space, unbounded.

    Returns:
      The total and its terms.

    Raises:
      ValueError: if `version` is not 1 or 2, or `temperature` is a number that is not positive.

    Example:
      >>> arf_loss(tf.zeros([1, 2]), tf.constant([[1, 0]]), tf.constant([[True, False]]), capacity=1).relaxed
      0.34657359
    """
    if version not in (1, 2):
        raise ValueError(f"`version` must be 1 or 2. Received: version={version}")
    ground_truth, where = masks(ground_truth, where)
    capacity = tf.maximum(tf.cast(capacity, tf.int32), 1)
    if version == 1:
        log_permutation = neural_sort_permutation(scores, where=where, temperature=temperature)
        losses = tf.where(ground_truth, -log_plus(_log_share(log_permutation, capacity), epsilon), 0.0)
    else:
        survival = neural_sort(scores, capacity, where=where, temperature=temperature)
        losses = -log_plus(tf.where(ground_truth, survival.log_head, survival.log_tail), epsilon)
    counted = has_both(ground_truth, where) & (count(where) > capacity)
    relaxed = mean_over_lists(losses, where, counted)
    whole_order = permutation_loss(scores, labels, where=where, temperature=temperature, epsilon=epsilon)
    weighted = uncertainty_weighted(whole_order, log_variance)
    return ArfLoss(weighted + relaxed, whole_order, relaxed)


def _log_share(log_permutation: tf.Tensor, capacity: tf.Tensor) -> tf.Tensor:
    """Returns the log of the mean of the first `capacity` rows."""
    in_head = tf.range(tf.shape(log_permutation)[-2])[:, tf.newaxis] < capacity[..., tf.newaxis, tf.newaxis]
    log_head = tf.where(in_head, log_permutation, tf.cast(LOG_ZERO, log_permutation.dtype))
    return tf.reduce_logsumexp(log_head, axis=-2) - tf.math.log(tf.cast(capacity, log_head.dtype))[..., tf.newaxis]


def cascade_arf(config: Arf, context: LossContext, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
    """The adapter of `arf_loss`, whose version the class of the configuration says."""
    values = [
        arf_loss(
            stage_scores,
            batch["labels"],
            batch["ground_truth"],
            where=batch["where"],
            capacity=capacity,
            log_variance=log_variance,
            temperature=context.temperature("neural_sort", config.temperature, batch),
            epsilon=config.epsilon,
            version=2 if isinstance(config, ArfV2) else 1,
        )
        for stage_scores, capacity, log_variance in zip(
            scores, context.list_capacities, tf.unstack(context.log_variances, len(scores)), strict=True
        )
    ]
    return context.sum_of_stages([value.total for value in values])
