"""Softmax over the whole catalogue."""

import tensorflow as tf

from trainer.global_batch import mean_over_replicas


def catalogue_softmax_loss(
    scores: tf.Tensor,
    *,
    positive_item: tf.Tensor,
    positive_weight: tf.Tensor,
    temperature: float = 1.0,
) -> tf.Tensor:
    """Tells each positive item from all items, the multinomial likelihood of Liang et al. (WWW 2018, Eq. 2).

    With `z = score / temperature`, request `b` and its positives `p`,

        L = Σ_bp w_bp·( -z_bp + ln Σ_j exp z_bj ) / Σ_bp w_bp,

    zero if all weights are. Where the catalogue is too large for it, `sampled_softmax_loss` estimates its gradient.

    Args:
      scores: `[batch_size, num_items + 1]` of all catalogue rows; row 0 is no item and does not count.
      positive_item: int32 `[batch_size, num_positives]`, catalogue rows.
      positive_weight: `[batch_size, num_positives]`, importance of each positive; 0 where there is none.
      temperature: divides the scores, positive.

    Returns:
      A scalar.

    Raises:
      ValueError: if `temperature` is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"`temperature` must be positive. Received: temperature={temperature}")
    logits = tf.cast(scores, tf.float32) / temperature
    positive_weight = tf.cast(positive_weight, tf.float32)
    log_total = tf.reduce_logsumexp(logits[:, 1:], axis=-1, keepdims=True)
    losses = log_total - tf.gather(logits, positive_item, batch_dims=1)
    total = tf.reduce_sum(positive_weight * losses)
    return tf.math.divide_no_nan(total, mean_over_replicas(tf.reduce_sum(positive_weight)))
