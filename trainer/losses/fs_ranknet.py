"""RankNet over the stages of the logged funnel."""

import tensorflow as tf

from trainer.config.losses import FsRankNet
from trainer.global_batch import Batch, gather_requests
from trainer.losses.context import CascadeLossValue, LossContext
from trainer.losses.lists import better_pairs, real_values
from trainer.sorting.survival import real_items


def fs_ranknet_loss(scores: tf.Tensor, candidate_stage: tf.Tensor, *, where: tf.Tensor | None = None) -> tf.Tensor:
    """Orders the items by how deep the logged funnel kept them (FS-RankNet, Zheng et al., WWW 2024).

    With `g_i` the stage that kept item `i` last, and `D_g` the pairs `(i, j)` inside the lists of the batch with
    `g_i = g` and `g_j < g`,

        L = Σ_g (1/|D_g|) Σ_{(i,j) ∈ D_g} softplus(-(s_i - s_j)).

    The mean runs over all pairs of the batch, so that large lists weigh more; a stage without pairs adds nothing.
    Items of one stage are not ordered among themselves.

    Args:
      scores: `[..., list_size]`, one stage's scores.
      candidate_stage: int `[..., list_size]`, index of the last logged stage that kept the item; larger is deeper.
      where: bool `[..., list_size]`, true on real items; `None` means all are.

    Returns:
      A scalar, zero if no list has items of two stages.

    Example:
      >>> fs_ranknet_loss(tf.constant([[1.0, 1.0, 1.0]]), tf.constant([[2, 1, 0]]))
      1.3862944
    """
    candidate_stage = tf.convert_to_tensor(candidate_stage)
    where = real_items(candidate_stage, where)
    scores = real_values(scores, where)
    pairs = better_pairs(candidate_stage, where)
    losses = tf.where(pairs, tf.math.softplus(scores[..., tf.newaxis, :] - scores[..., :, tf.newaxis]), 0.0)
    loss_of_item = gather_requests(tf.reshape(tf.reduce_sum(losses, axis=-1), [-1]))
    pairs_of_item = gather_requests(tf.reshape(tf.reduce_sum(tf.cast(pairs, scores.dtype), axis=-1), [-1]))

    # Sorted by stage, the items of a stage are a segment, whatever numbers the stages have.
    stage = gather_requests(tf.reshape(candidate_stage, [-1]))
    order = tf.argsort(stage)
    stage = tf.gather(stage, order)
    segment = tf.cumsum(tf.cast(stage != tf.concat([stage[:1], stage[:-1]], axis=0), tf.int32))

    def sum_by_stage(values: tf.Tensor) -> tf.Tensor:
        return tf.math.unsorted_segment_sum(tf.gather(values, order), segment, num_segments=tf.size(stage))

    return tf.reduce_sum(tf.math.divide_no_nan(sum_by_stage(loss_of_item), sum_by_stage(pairs_of_item)))


def cascade_fs_ranknet(
    config: FsRankNet, context: LossContext, scores: list[tf.Tensor], batch: Batch
) -> CascadeLossValue:
    """The adapter of `fs_ranknet_loss`."""
    return context.sum_of_stages([fs_ranknet_loss(s, batch["candidate_stage"], where=batch["where"]) for s in scores])
