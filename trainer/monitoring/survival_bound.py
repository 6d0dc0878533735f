"""How tight the bound is that LCRON trains."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from trainer.losses.lists import count, masks
from trainer.model.recall import survivors


class SurvivalBound(NamedTuple):
    """Survival of the ground truth, as a bound and as it is; scalars in `[0, 1]`, but for `tightness`.

    Args:
      survival_product: the product of the stages' soft survivals.
      hard_product: the share that is within the capacity of every stage, each ranking the full list.
      cascade_survival: the share that leaves the last stage when the stages run one after the other.
      tightness: `survival_product / cascade_survival`; zero where nothing survives.
    """

    survival_product: tf.Tensor
    hard_product: tf.Tensor
    cascade_survival: tf.Tensor
    tightness: tf.Tensor


def survival_bound(
    heads: Sequence[tf.Tensor],
    scores_by_stage: Sequence[tf.Tensor],
    ground_truth: tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    capacities: Sequence[int | None],
) -> SurvivalBound:
    """Compares the product of survivals with the cascade it stands for (LCRON, arXiv 2503.09492, Eq. 8).

    With the soft survival `u^t_j` of item `j` at stage `t`, the hard one `h^t_j = 1[rank of j by stage t in the full
    list ≤ q_t]`, the survivors `C` of the cascade, in which each stage ranks what the stage before it passed on, and
    the ground truth `G` of a list,

        survival_product = mean_{j∈G} Π_t u^t_j,
        hard_product = mean_{j∈G} Π_t h^t_j,
        cascade_survival = |C ∩ G| / |G|,

    each averaged over the lists that have ground truth. An item's rank among the survivors is at most its rank in the
    full list, so `hard_product ≤ cascade_survival` always; what is between them was rescued, its better competitors
    having been cut upstream. What is between the two products is the softness of the operator: with its temperature
    toward zero they are equal.

    Args:
      heads: `[..., list_size]` soft survivals of each stage, in funnel order, at `capacities`.
      scores_by_stage: `[..., list_size]` scores of each stage.
      ground_truth: bool `[..., list_size]`.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      capacities: items that each stage passes on; `None` for a stage stands for the size of the list's ground truth.

    Returns:
      The survivals and their ratio.
    """
    ground_truth, where = masks(ground_truth, where)
    size = count(ground_truth)
    sizes = [size if capacity is None else capacity for capacity in capacities]
    within = [survivors([scores], where, [q]) for scores, q in zip(scores_by_stage, sizes, strict=True)]

    def mean(survival: tf.Tensor) -> tf.Tensor:
        share = tf.reduce_sum(tf.where(ground_truth, tf.cast(survival, tf.float32), 0.0), axis=-1)
        share /= tf.cast(tf.maximum(size, 1), tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(share), tf.reduce_sum(tf.cast(size > 0, tf.float32)))

    product = mean(tf.reduce_prod(tf.stack(heads), axis=0))
    cascade = mean(survivors(scores_by_stage, where, sizes))
    return SurvivalBound(
        survival_product=product,
        hard_product=mean(tf.reduce_all(tf.stack(within), axis=0)),
        cascade_survival=cascade,
        tightness=tf.math.divide_no_nan(product, cascade),
    )
