"""ICC, one ranking loss over the score that an item gets from the cascade."""

from collections.abc import Sequence
from typing import Literal

import tensorflow as tf

from trainer.config.losses import Icc
from trainer.global_batch import Batch
from trainer.losses.context import CascadeLossValue, LossContext
from trainer.losses.lists import better_pairs, check_one_per_stage, count, mean_of_lists, ranks, real_values
from trainer.sorting.survival import real_items


def icc_loss(
    scores_by_stage: Sequence[tf.Tensor],
    labels: tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    capacities: Sequence[int | tf.Tensor],
    temperature: float = 0.1,
    stage_weights: Sequence[float] | None = None,
    ties: Literal["ignore", "by_position"] = "ignore",
) -> tf.Tensor:
    """Ranks items by the score of the stage that they reach (ICC, Gallagher et al., WSDM 2019).

    Stage `t` passes an item on with probability `I^t = σ((s^t - κ_t) / temperature)`, where `κ_t` is its `q_t`-th best
    score of the list; it passes all if the list has no more than `q_t` items. The score of the cascade is

        e = Σ_{t<T} c_t·Π_{s<t} I^s·(1 - I^t)·s^t + c_T·Π_{s≤T} I^s·s^T,

    so that an item cut by the last stage gets nothing from it, and the loss is RankNet on it,

        L = (1/n²) Σ_{ℓ_i > ℓ_j} softplus(-(e_i - e_j)),

    over a list's `n` real items, averaged over the lists that have such pairs; zero if none has. `κ_t` is
    differentiated.

    Args:
      scores_by_stage: `[..., list_size]` scores of each stage, in funnel order.
      labels: `[..., list_size]`, larger is better.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      capacities: items that each stage passes on: positive ints, or int tensors `[...]` with one size per
        list.
      temperature: of the sigmoid, positive. The public code of LCRON fixes it at 0.001, where the slopes are so
        steep that items beside the cut-off decide alone; the paper tunes it from 0.05 to 1.
      stage_weights: `c_t` of each stage; `None` means ones. That code takes (1, 1), and (1, 2, 4) for three stages.
      ties: what to do with two items of the same label: `"ignore"` them, or rank the one at the later position
        higher, `"by_position"`, as that code does.

    Returns:
      A scalar.

    Raises:
      ValueError: if there are not as many capacities or weights as stages, or `temperature` or `ties` is invalid.

    Example:
      >>> scores = tf.constant([[2.0, 1.0]])
      >>> icc_loss([scores, scores], tf.constant([[1, 1]]), capacities=[2, 1])
      0.0
    """
    check_one_per_stage("capacities", capacities, scores_by_stage)
    stage_weights = [1.0] * len(scores_by_stage) if stage_weights is None else stage_weights
    check_one_per_stage("stage_weights", stage_weights, scores_by_stage)
    if temperature <= 0:
        raise ValueError(f"`temperature` must be positive. Received: temperature={temperature}")
    if ties not in ("ignore", "by_position"):
        raise ValueError(f"`ties` must be 'ignore' or 'by_position'. Received: ties={ties!r}")
    labels = tf.convert_to_tensor(labels)
    where = real_items(labels, where)

    reached: tf.Tensor = 1.0  # the probability of being passed on by all stages so far
    cascade: tf.Tensor = 0.0
    for stage, (scores, capacity, weight) in enumerate(zip(scores_by_stage, capacities, stage_weights, strict=True)):
        scores = real_values(scores, where)
        passed, stopped = _passed_and_stopped(scores, capacity, where, temperature)
        stays = passed if stage + 1 == len(scores_by_stage) else stopped
        cascade += weight * reached * stays * scores
        reached *= passed

    pairs = better_pairs(labels, where)
    if ties == "by_position":
        position = tf.range(tf.shape(labels)[-1])
        tied = better_pairs(position, where) & (labels[..., :, tf.newaxis] == labels[..., tf.newaxis, :])
        pairs |= tied
    losses = tf.math.softplus(cascade[..., tf.newaxis, :] - cascade[..., :, tf.newaxis])
    total = tf.reduce_sum(tf.where(pairs, losses, 0.0), axis=[-2, -1])
    size = tf.cast(tf.maximum(count(where), 1), total.dtype)
    return mean_of_lists(total / size**2, tf.reduce_any(pairs, axis=[-2, -1]))


def _passed_and_stopped(
    scores: tf.Tensor, capacity: int | tf.Tensor, where: tf.Tensor, temperature: float
) -> tuple[tf.Tensor, tf.Tensor]:
    capacity = tf.maximum(tf.cast(capacity, tf.int32), 1)
    cuts = (count(where) > capacity)[..., tf.newaxis]
    last_passed = ranks(scores, where) == capacity[..., tf.newaxis] - 1
    cut_off = tf.reduce_sum(tf.where(last_passed, scores, 0.0), axis=-1, keepdims=True)
    margin = (scores - cut_off) / temperature
    return tf.where(cuts, tf.sigmoid(margin), 1.0), tf.where(cuts, tf.sigmoid(-margin), 0.0)


def cascade_icc(config: Icc, context: LossContext, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
    """The adapter of `icc_loss`."""
    value = icc_loss(
        scores,
        batch["labels"],
        where=batch["where"],
        capacities=context.list_capacities,
        temperature=config.temperature,
        stage_weights=config.stage_weights or None,
        ties=config.ties,
    )
    return CascadeLossValue(value, {"end_to_end_loss": value})
