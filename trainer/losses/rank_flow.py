"""RankFlow, where each stage learns on what the stage before it passes on, and from the stage after it."""

from collections.abc import Sequence

import tensorflow as tf

from trainer.config.losses import RankFlow
from trainer.global_batch import Batch
from trainer.losses.context import CascadeLossValue, LossContext
from trainer.losses.lists import (
    check_one_per_stage,
    count,
    has_both,
    masks,
    mean_of_lists,
    mean_over_lists,
    ranks,
    real_values,
)


def rank_flow_loss(
    scores_by_stage: Sequence[tf.Tensor],
    ground_truth: tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    capacities: Sequence[int | tf.Tensor],
    distillation_weight: float = 1.0,
    pair_weight: float = 1.0,
) -> tf.Tensor:
    """Trains every stage on its own inputs and distils the next one into it (RankFlow, Qin et al., SIGIR 2022).

    With `R_1` the real items of a list and `R_t` the best `q_{t-1}` of `R_{t-1}` by stage `t - 1`,

        L = Σ_t mean_{R_t} bce(s^t, 1[j ∈ G])
          + distillation_weight·Σ_{t>1} mean_{R_t} (sg(s^t) - s^{t-1})²
          + pair_weight·Σ_{t>1} softplus(c_t - a_t),

    where `a_t` is the mean of `s^{t-1}` over the best `q_t` of `R_t` by `s^t` and `c_t` that over the rest. Each term
    is averaged over the lists that have ground truth and negatives, the last one over those where a rest is left.
    What is in `R_t` is a constant for the gradient; equal scores rank by position.

    Args:
      scores_by_stage: `[..., list_size]` scores of each stage, in funnel order.
      ground_truth: bool `[..., list_size]`.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      capacities: `q_t`, items that each stage passes on: ints, or int tensors `[...]` with one size per list. A list
        with fewer items keeps all.
      distillation_weight: factor on the distillation.
      pair_weight: factor on the order of what the next stage keeps and cuts. The public code of LCRON trains two
        stages with the weights 1 and 0, three with 1 and 1.

    Returns:
      A scalar.

    Raises:
      ValueError: if there are not as many capacities as stages.

    Example:
      >>> scores = tf.zeros([1, 3])
      >>> rank_flow_loss([scores, scores], tf.constant([[True, False, False]]), capacities=[2, 1], pair_weight=0.0)
      1.3862944
    """
    check_one_per_stage("capacities", capacities, scores_by_stage)
    ground_truth, where = masks(ground_truth, where)
    counted = has_both(ground_truth, where)
    stages = [real_values(scores, where) for scores in scores_by_stage]
    targets = tf.cast(ground_truth, stages[0].dtype)

    def bce(scores: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=scores)
        return mean_over_lists(losses, seen, counted)

    seen = where
    total = bce(stages[0], seen)
    for student, teacher, passes, keeps in zip(stages[:-1], stages[1:], capacities[:-1], capacities[1:], strict=True):
        seen = _best(student, seen, passes)
        kept = _best(teacher, seen, keeps)
        distance = tf.square(tf.stop_gradient(teacher) - student)
        total += bce(teacher, seen) + distillation_weight * mean_over_lists(distance, seen, counted)
        total += pair_weight * _pair_loss(student, kept, seen & ~kept, counted)
    return total


def _best(scores: tf.Tensor, where: tf.Tensor, capacity: int | tf.Tensor) -> tf.Tensor:
    return where & (ranks(scores, where) < tf.cast(capacity, tf.int32)[..., tf.newaxis])


def _pair_loss(scores: tf.Tensor, kept: tf.Tensor, cut: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    has_pair = tf.reduce_any(kept, axis=-1) & tf.reduce_any(cut, axis=-1)
    return mean_of_lists(tf.math.softplus(_mean(scores, cut) - _mean(scores, kept)), counted & has_pair)


def _mean(scores: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    total = tf.reduce_sum(tf.where(where, scores, 0.0), axis=-1)
    return total / tf.cast(tf.maximum(count(where), 1), scores.dtype)


def cascade_rank_flow(
    config: RankFlow, context: LossContext, scores: list[tf.Tensor], batch: Batch
) -> CascadeLossValue:
    """The adapter of `rank_flow_loss`."""
    value = rank_flow_loss(
        scores,
        batch["ground_truth"],
        where=batch["where"],
        capacities=context.list_capacities,
        distillation_weight=config.distillation_weight,
        pair_weight=config.pair_weight,
    )
    return CascadeLossValue(value, {"end_to_end_loss": value})
