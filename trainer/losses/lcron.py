"""The losses of LCRON (Learning Cascade Ranking as One Network, arXiv 2503.09492) for any number of stages."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from trainer.config.losses import Lcron
from trainer.global_batch import Batch
from trainer.losses.context import CascadeLossValue, LossContext, learned_weight
from trainer.losses.lists import check_one_per_stage, count, has_both, masks, mean_over_lists
from trainer.losses.terms import log_plus, uncertainty_weighted
from trainer.sorting.neural_sort import neural_sort
from trainer.sorting.survival import SortingOperator, Survival


class LcronLoss(NamedTuple):
    """The loss of a cascade and the terms it is made of.

    Args:
      total: scalar, the weighted sum of the terms.
      end_to_end: scalar, the loss of the whole cascade.
      single: `[num_stages]`, the loss of each stage on its own.
    """

    total: tf.Tensor
    end_to_end: tf.Tensor
    single: tf.Tensor


def single_loss(
    scores: tf.Tensor,
    ground_truth: tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 50.0,
    operator: SortingOperator = neural_sort,
    negative_weight: float = 1.0,
    epsilon: float = 0.0,
) -> tf.Tensor:
    """Asks one stage to keep the ground truth and to cut the rest (LCRON, arXiv 2503.09492, Eq. 12).

    With `u` and `d` the head and tail of the operator at `k = K`, the size of the ground truth `G` of a list,

        L = (1/n) Σ_j [ -1[j ∈ G]·ln u_j - negative_weight·1[j ∉ G]·ln d_j ]

    over its `n` real items, averaged over the lists that have both ground truth and negatives; zero if none has.

    Args:
      scores: `[..., list_size]`, the stage's scores.
      ground_truth: bool `[..., list_size]`.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: of the operator; a float or a tensor `[...]`.
      operator: the differentiable top-k.
      negative_weight: factor on the negatives' terms.
      epsilon: added inside the logarithms, which bounds them; 0 computes them in log space, unbounded.

    Returns:
      A scalar.
    """
    ground_truth, where = masks(ground_truth, where)
    survival = operator(scores, count(ground_truth), where=where, temperature=temperature)
    return _single(survival, ground_truth, where, negative_weight, epsilon)


def e2e_loss(
    scores_by_stage: Sequence[tf.Tensor],
    ground_truth: tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    capacities: Sequence[int | tf.Tensor | None] | None = None,
    temperature: float | tf.Tensor = 50.0,
    operator: SortingOperator = neural_sort,
    epsilon: float = 0.0,
) -> tf.Tensor:
    """Asks the cascade as a whole to deliver the ground truth (LCRON, arXiv 2503.09492, Eq. 8 and 11).

    An item's survival of the cascade is at least the product of its survivals `u^t` of each stage on the full
    list, so the product is what is trained:

        L = (1/n) Σ_j [ -1[j ∈ G]·ln Π_t u^t_j - 1[j ∉ G]·ln(1 - Π_t u^t_j) ]

    over a list's `n` real items, averaged over the lists that have ground truth, negatives and more items than
    some stage passes on; zero if none has. The gradient of a negative flows through the tails `d^t = 1 - u^t`: stage
    `t` receives the share `d^t·Π_{s≠t} u^s / (1 - Π_s u^s)`, the probability that it alone stopped the item.

    Args:
      scores_by_stage: `[..., list_size]` scores of each stage, in funnel order.
      ground_truth: bool `[..., list_size]`.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      capacities: items that each stage passes on, ints or int tensors `[...]` with one size per list; `None`, as a
        whole or for a stage, stands for the size of the list's ground truth, as the paper trains.
      temperature: of the operator; a float or a tensor `[...]`.
      operator: the differentiable top-k.
      epsilon: added inside the logarithms, which bounds them; 0 computes them in log space, unbounded.

    Returns:
      A scalar.

    Raises:
      ValueError: if there are not as many capacities as stages.
    """
    ground_truth, where = masks(ground_truth, where)
    capacities = _capacities(capacities, scores_by_stage, count(ground_truth))
    survivals = [
        operator(scores, capacity, where=where, temperature=temperature)
        for scores, capacity in zip(scores_by_stage, capacities, strict=True)
    ]
    return _end_to_end(survivals, capacities, ground_truth, where, epsilon)


def lcron_loss(
    scores_by_stage: Sequence[tf.Tensor],
    ground_truth: tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    capacities: Sequence[int | tf.Tensor | None] | None = None,
    end_to_end_weight: float = 1.0,
    end_to_end_log_variance: tf.Tensor | None = None,
    single_weight: float | None = None,
    log_variances: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 50.0,
    operator: SortingOperator = neural_sort,
    negative_weight: float = 1.0,
    epsilon: float = 0.0,
) -> LcronLoss:
    """Sums the end-to-end loss and the weighted loss of each stage (LCRON, arXiv 2503.09492, Eq. 13).

        L = L_e2e + Σ_t ( ½·exp(-a_t)·L_single^t + ½·a_t )

    The paper also learns the weight of `L_e2e`; its public code keeps it at 1, as is the default here.

    Args:
      scores_by_stage: `[..., list_size]` scores of each stage, in funnel order.
      ground_truth: bool `[..., list_size]`.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      capacities: items that each stage passes on in the end-to-end term, ints or int tensors `[...]` with one size per
        list; `None`, as a whole or for a stage, stands for the size of the list's ground truth. The single terms
        always use that size.
      end_to_end_weight: factor on `L_e2e`, unless `end_to_end_log_variance` is given; 0 leaves the term out.
      end_to_end_log_variance: scalar, the trained `a` of `L_e2e`, weighted as the single terms are.
      single_weight: fixed factor on every single term in place of the trained weights; 0 leaves them out.
      log_variances: `[num_stages]`, the trained `a_t`; `None` means zeros.
      temperature: of the operator; a float or a tensor `[...]`.
      operator: the differentiable top-k.
      negative_weight: factor on the negatives of the single terms.
      epsilon: added inside the logarithms, which bounds them; 0 computes them in log space, unbounded.

    Returns:
      The total and its terms.

    Raises:
      ValueError: if there are not as many capacities as stages.
    """
    ground_truth, where = masks(ground_truth, where)
    size = count(ground_truth)
    capacities = _capacities(capacities, scores_by_stage, size)
    cascade, single = [], []
    for scores, capacity in zip(scores_by_stage, capacities, strict=True):
        at_size = operator(scores, size, where=where, temperature=temperature)
        same = capacity is size  # one sort serves both terms
        cascade.append(at_size if same else operator(scores, capacity, where=where, temperature=temperature))
        single.append(_single(at_size, ground_truth, where, negative_weight, epsilon))
    single_terms = tf.stack(single)
    end_to_end = _end_to_end(cascade, capacities, ground_truth, where, epsilon)
    if log_variances is None:
        log_variances = tf.zeros_like(single_terms)
    if end_to_end_log_variance is None:
        total = end_to_end_weight * end_to_end
    else:
        total = uncertainty_weighted(end_to_end, end_to_end_log_variance)
    if single_weight is None:
        total += uncertainty_weighted(single_terms, log_variances)
    else:
        total += single_weight * tf.reduce_sum(single_terms)
    return LcronLoss(total, end_to_end, single_terms)


def _single(
    survival: Survival, ground_truth: tf.Tensor, where: tf.Tensor, negative_weight: float, epsilon: float
) -> tf.Tensor:
    positive = -log_plus(survival.log_head, epsilon)
    negative = -negative_weight * log_plus(survival.log_tail, epsilon)
    counted = has_both(ground_truth, where)
    return mean_over_lists(tf.where(ground_truth, positive, negative), where, counted)


def _end_to_end(
    survivals: Sequence[Survival],
    capacities: Sequence[int | tf.Tensor],
    ground_truth: tf.Tensor,
    where: tf.Tensor,
    epsilon: float,
) -> tf.Tensor:
    log_heads = tf.stack([survival.log_head for survival in survivals])  # [num_stages, ..., list_size]
    log_tails = tf.stack([survival.log_tail for survival in survivals])
    positive = -log_plus(tf.reduce_sum(log_heads, axis=0), epsilon)
    negative = -log_plus(_log_stopped(log_heads, log_tails), epsilon)
    cuts = [count(where) > capacity for capacity in capacities]
    counted = has_both(ground_truth, where) & tf.reduce_any(tf.stack(cuts), axis=0)
    return mean_over_lists(tf.where(ground_truth, positive, negative), where, counted)


def _log_stopped(log_heads: tf.Tensor, log_tails: tf.Tensor) -> tf.Tensor:
    """Returns `ln(1 - Π_t u^t)` with its gradient through the tails, from `[num_stages, ...]` logs."""
    reached = tf.cumsum(log_heads, axis=0, exclusive=True)
    log_stopped = tf.stop_gradient(tf.reduce_logsumexp(reached + log_tails, axis=0))  # 1 - Πu = Σ_t d_t Π_{s<t} u_s
    others = tf.reduce_sum(log_heads, axis=0) - log_heads
    share = tf.stop_gradient(tf.exp(tf.minimum(others + log_tails - log_stopped, 0.0)))
    return log_stopped + tf.reduce_sum(share * (log_tails - tf.stop_gradient(log_tails)), axis=0)


def _capacities(
    capacities: Sequence[int | tf.Tensor | None] | None, scores_by_stage: Sequence[tf.Tensor], size: tf.Tensor
) -> list[int | tf.Tensor]:
    if capacities is None:
        capacities = [None] * len(scores_by_stage)
    check_one_per_stage("capacities", capacities, scores_by_stage)
    return [size if capacity is None else capacity for capacity in capacities]


def cascade_lcron(config: Lcron, context: LossContext, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
    """The adapter of `lcron_loss`."""
    value = lcron_loss(
        scores,
        batch["ground_truth"],
        where=batch["where"],
        capacities=context.list_capacities if config.use_list_capacities else None,
        end_to_end_weight=1.0 if config.end_to_end_weight is None else config.end_to_end_weight,
        end_to_end_log_variance=context.end_to_end_log_variance,
        single_weight=config.single_weight,
        log_variances=context.log_variances,
        temperature=context.temperature(config.operator, config.temperature, batch),
        operator=context.operator(config.operator, batch),
        negative_weight=config.negative_weight,
        epsilon=config.epsilon,
    )
    terms = {"end_to_end_loss": value.end_to_end}
    if context.end_to_end_log_variance is not None:
        terms["end_to_end_loss_weight"] = learned_weight(context.end_to_end_log_variance)
    return CascadeLossValue(value.total, terms | context.stage_terms(value.single))
