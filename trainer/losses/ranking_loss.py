"""The losses of TensorFlow Ranking by key."""

from typing import Any, get_args

import tensorflow as tf
import tensorflow_ranking as tfr

from trainer.config.losses import Ranking, RankingKind
from trainer.global_batch import Batch
from trainer.losses.context import CascadeLossValue, LossContext
from trainer.losses.lists import count, has_order, mean_of_lists, real_values
from trainer.sorting.survival import real_items

KEYS = get_args(RankingKind)
"""Keys of `tfr.keras.losses` whose losses take one score per item: all but `"ordinal_loss"`."""

_SOFTMAX_KEYS = ("softmax_loss", "unique_softmax_loss", "list_mle_loss", "coupled_rankdistil_loss")


def ranking_loss(
    scores: tf.Tensor, labels: tf.Tensor, *, where: tf.Tensor | None = None, key: str, **options: Any
) -> tf.Tensor:
    """Evaluates a loss of TensorFlow Ranking (Pasumarthi et al., KDD 2019).

    Per list the mean over its real items of what the loss says of each, or the one value that it has for the list,
    then the mean over the lists with two different labels; zero if there is none. On lists without padding that
    are all counted this is TensorFlow Ranking's own default reduction, but for `"pairwise_*"` and pointwise losses a
    shorter list weighs as much as a full one.

    What TensorFlow Ranking itself leaves to be desired: `"list_mle_loss"` and `"coupled_rankdistil_loss"` score padding
    at -23 below the best item rather than leave it out, so they are off where real scores come near that or
    fall below (`"list_mle_loss"` by the constant `ln((list_size - n)!)` on any padded list of `n` items; scores more
    than 80 below the best have no gradient there). `"gumbel_approx_ndcg_loss"`, `"yeti_logistic_loss"`,
    `"coupled_rankdistil_loss"` and, among ties, `"list_mle_loss"` are random.

    Args:
      scores: `[..., list_size]`, one stage's scores.
      labels: `[..., list_size]`, larger is better; an item with a negative label is left out, as if it were padding.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      key: of the loss, one of `KEYS`.
      **options: of the loss, as `tfr.keras.losses.get` takes them: `temperature`, `lambda_weight`, ...

    Returns:
      A scalar in float32.

    Raises:
      ValueError: if `key` is unknown.

    Example:
      >>> ranking_loss(tf.zeros([1, 2]), tf.constant([[1.0, 0.0]]), key="softmax_loss")
      0.6931472
    """
    if key not in KEYS:
        raise ValueError(f"`key` must be one of {KEYS}. Received: key={key!r}")
    labels = tf.cast(labels, tf.float32)
    where = real_items(labels, where) & (labels >= 0)
    scores = real_values(tf.cast(scores, tf.float32), where)
    if key in _SOFTMAX_KEYS:  # which give padding a fixed score
        best = tf.reduce_max(tf.where(where, scores, scores.dtype.min), axis=-1, keepdims=True)
        scores = tf.where(where, scores - tf.stop_gradient(best), 0.0)
    if key == "list_mle_loss":
        scores = tf.maximum(scores, -80.0)  # or the logarithm of a sum of their exponentials is infinite

    loss = tfr.keras.losses.get(key, reduction=tf.losses.Reduction.NONE, **options)
    flat = [-1, tf.shape(labels)[-1]]
    losses = loss(tf.reshape(tf.where(where, labels, -1.0), flat), tf.reshape(scores, flat))
    size = tf.cast(tf.maximum(tf.reshape(count(where), [-1, 1]), 1), tf.float32)  # [num_lists, 1]
    per_item = losses.shape.rank == 2 and losses.shape[-1] != 1
    losses = tf.reshape(losses, [tf.shape(size)[0], -1, flat[1] if per_item else 1])  # axis 1: samples of random losses
    list_losses = tf.reduce_mean(tf.reduce_sum(losses, axis=-1), axis=-1, keepdims=True)
    list_losses = list_losses / size if per_item else list_losses
    counted = has_order(labels, where)
    return mean_of_lists(tf.reshape(list_losses, tf.shape(counted)), counted)


def cascade_ranking(config: Ranking, context: LossContext, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
    """The adapter of `ranking_loss`."""
    keys = config.keys * len(scores) if len(config.keys) == 1 else config.keys
    losses = [
        ranking_loss(s, batch["labels"], where=batch["where"], key=key) for s, key in zip(scores, keys, strict=True)
    ]
    return context.sum_of_stages(losses)
