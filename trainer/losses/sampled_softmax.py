"""Softmax over a sample of the catalogue, which teaches a stage the items that no list holds."""

import tensorflow as tf

from trainer.global_batch import mean_over_replicas
from trainer.sorting.survival import LOG_ZERO


def sampled_softmax_loss(
    positive_scores: tf.Tensor,
    candidate_scores: tf.Tensor,
    *,
    positive_item: tf.Tensor,
    candidate_item: tf.Tensor,
    positive_log_count: tf.Tensor,
    candidate_log_count: tf.Tensor,
    positive_weight: tf.Tensor,
    temperature: float = 1.0,
) -> tf.Tensor:
    """Tells each positive item from candidates that were sampled for all requests of the batch, or for each.

    With `z = score / temperature - ln E[count of the item among the candidates]` (the log-Q correction of Yi et
    al., RecSys 2019, Eq. 6), request `b`, its positive `p`, and the candidates `C_b` that are no positive of `b`,

        L = Σ_bp w_bp·( -z_bp + ln( exp z_bp + Σ_{c ∈ C_b} exp z_bc ) ) / Σ_bp w_bp,

    zero if all weights are. The gradient estimates that of the softmax over the whole catalogue, however often
    the sampler draws popular items.

    Args:
      positive_scores: `[batch_size, num_positives]`.
      candidate_scores: `[batch_size, num_candidates]`.
      positive_item: int32 `[batch_size, num_positives]`, catalogue rows.
      candidate_item: int32 `[num_candidates]` or `[batch_size, num_candidates]`, catalogue rows, repetitions allowed.
      positive_log_count: `[batch_size, num_positives]`, log of the expected count among the candidates.
      candidate_log_count: of the shape of `candidate_item`, the same of each candidate.
      positive_weight: `[batch_size, num_positives]`, importance of each positive; 0 where there is none.
      temperature: divides the scores, positive.

    Returns:
      A scalar.

    Raises:
      ValueError: if `temperature` is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"`temperature` must be positive. Received: temperature={temperature}")
    positive_weight = tf.cast(positive_weight, tf.float32)
    positive = positive_weight > 0
    own = tf.where(positive, tf.cast(positive_scores, tf.float32) / temperature - positive_log_count, 0.0)
    others = tf.cast(candidate_scores, tf.float32) / temperature - candidate_log_count
    hit = _is_member(candidate_item, tf.where(positive, positive_item, -1))
    others = tf.reduce_logsumexp(tf.where(hit, LOG_ZERO, others), axis=-1, keepdims=True)
    losses = tf.math.softplus(others - own)  # = -own + ln(exp own + exp others)
    total = tf.reduce_sum(tf.where(positive, positive_weight * losses, 0.0))
    return tf.math.divide_no_nan(total, mean_over_replicas(tf.reduce_sum(positive_weight)))


def _is_member(item: tf.Tensor, members: tf.Tensor) -> tf.Tensor:
    """Returns bool `[batch_size, num_items]`: is `item` `[(batch_size,) num_items]` among its row of `members`?"""
    members = tf.sort(members, axis=-1)
    item = tf.broadcast_to(item, [tf.shape(members)[0], tf.shape(item)[-1]])
    place = tf.searchsorted(members, item)
    place = tf.minimum(place, tf.shape(members)[1] - 1)
    return tf.gather(members, place, batch_dims=1) == item
