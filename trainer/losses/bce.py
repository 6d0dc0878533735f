"""Binary cross-entropy, each item on its own."""

import tensorflow as tf

from trainer.config.losses import Bce
from trainer.global_batch import Batch
from trainer.losses.context import CascadeLossValue, LossContext
from trainer.losses.lists import has_both, masks, mean_over_lists, real_values


def bce_loss(scores: tf.Tensor, ground_truth: tf.Tensor, *, where: tf.Tensor | None = None) -> tf.Tensor:
    """Tells the ground truth `G` from the other items that one stage sees, item by item.

        L = (1/n) Σ_j [ softplus(s_j) - 1[j ∈ G]·s_j ]

    over the `n` items of a list in `where`, averaged over the lists that have both ground truth and other items in
    `where`; zero if none has.

    Args:
      scores: `[..., list_size]`, the stage's scores.
      ground_truth: bool `[..., list_size]`.
      where: bool `[..., list_size]`, true on the real items that the stage would see in the cascade; `None` means
        all are.

    Returns:
      A scalar.

    Example:
      >>> bce_loss(tf.constant([[0.0, 0.0]]), tf.constant([[True, False]]))
      0.6931472
    """
    ground_truth, where = masks(ground_truth, where)
    scores = real_values(scores, where)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.cast(ground_truth, scores.dtype), logits=scores)
    return mean_over_lists(losses, where, has_both(ground_truth, where))


def cascade_bce(config: Bce, context: LossContext, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
    """The adapter of `bce_loss`: a stage learns from the items that `min_candidate_stage` says it sees."""
    reached = [batch["where"] & (batch["candidate_stage"] >= stage.min_candidate_stage) for stage in context.stages]
    losses = [bce_loss(s, batch["ground_truth"], where=where) for s, where in zip(scores, reached, strict=True)]
    return context.sum_of_stages(losses)
