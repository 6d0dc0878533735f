"""LambdaLoss over graded labels of the whole funnel."""

import tensorflow as tf

from trainer.config.losses import FsLambdaLoss
from trainer.global_batch import Batch
from trainer.losses.context import CascadeLossValue, LossContext
from trainer.losses.lists import better_pairs, has_order, mean_of_lists, ranks, real_values
from trainer.sorting.survival import real_items


def fs_lambda_loss(
    scores: tf.Tensor,
    labels: tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    top_n: int | None = None,
    smoothing: float = 0.8,
) -> tf.Tensor:
    """Weights each pair by what swapping it changes in NDCG (FS-LambdaLoss, Zheng et al., WWW 2024).

    With the rank `r_i` of item `i` by score, the discount `D(r) = 1/ln(1 + r)`, which is zero beyond `top_n` in
    `D_n`, the gain `G_i = ℓ_i / Σ_r ℓ_[r]·D(r)` and `δ = |r_i - r_j|`,

        w_ij = |G_i - G_j|·( (1 - smoothing)·|D(δ) - D(δ + 1)| + smoothing·|D_n(r_i) - D_n(r_j)| )
        L = 2 Σ_{ℓ_i > ℓ_j} w_ij·softplus(-(s_i - s_j)),

    where the first part is zero if both items rank beyond `top_n` (NDCG-Loss2 and LambdaRank of Wang et al., CIKM
    2018). Ranks are constants for the gradient. Every pair counts in either order, as in the public code of
    LCRON. Averaged over the lists with two different labels and a positive ideal DCG; zero if there is none. Equal
    scores rank by position.

    Args:
      scores: `[..., list_size]`, one stage's scores.
      labels: `[..., list_size]`, larger is better; they are the gains.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      top_n: positions whose order counts; `None` means all.
      smoothing: weight of LambdaRank's part, in `[0, 1]`.

    Returns:
      A scalar.

    Raises:
      ValueError: if `top_n` is not positive or `smoothing` is not in `[0, 1]`.

    Example:
      >>> fs_lambda_loss(tf.constant([[2.0, 1.0]]), tf.constant([[0.0, 0.0]]))
      0.0
    """
    if top_n is not None and top_n <= 0:
        raise ValueError(f"`top_n` must be positive or `None`. Received: top_n={top_n}")
    if not 0 <= smoothing <= 1:
        raise ValueError(f"`smoothing` must be in [0, 1]. Received: smoothing={smoothing}")
    labels = tf.convert_to_tensor(labels)
    where = real_items(labels, where)
    scores = real_values(scores, where)
    labels = tf.cast(real_values(labels, where), scores.dtype)
    rank = ranks(scores, where) + 1
    ideal_discount = tf.where(where, _discount(ranks(labels, where) + 1, scores.dtype), 0.0)
    ideal = tf.reduce_sum(labels * ideal_discount, axis=-1)  # [...]
    has_ideal = ideal > 0
    gain = labels / tf.where(has_ideal, ideal, 1.0)[..., tf.newaxis]

    in_top = where if top_n is None else where & (rank <= top_n)
    top_discount = tf.where(in_top, _discount(rank, scores.dtype), 0.0)
    distance = tf.maximum(tf.abs(_difference(rank)), 1)
    either = in_top[..., :, tf.newaxis] | in_top[..., tf.newaxis, :]
    by_distance = _discount(distance, scores.dtype) - _discount(distance + 1, scores.dtype)
    weight = (1 - smoothing) * tf.where(either, by_distance, 0.0) + smoothing * tf.abs(_difference(top_discount))
    weight *= tf.abs(_difference(gain))  # constants, as ranks have no gradient

    pairs = better_pairs(labels, where)
    losses = tf.where(pairs, weight * tf.math.softplus(-_difference(scores)), 0.0)
    return mean_of_lists(2 * tf.reduce_sum(losses, axis=[-2, -1]), has_ideal & has_order(labels, where))


def _discount(rank: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return 1 / tf.math.log1p(tf.cast(rank, dtype))


def _difference(values: tf.Tensor) -> tf.Tensor:
    return values[..., :, tf.newaxis] - values[..., tf.newaxis, :]


def cascade_fs_lambda_loss(
    config: FsLambdaLoss, context: LossContext, scores: list[tf.Tensor], batch: Batch
) -> CascadeLossValue:
    """The adapter of `fs_lambda_loss`."""
    labels = batch["labels"] if config.labels == "graded" else tf.cast(batch["ground_truth"], tf.float32)
    options = {"where": batch["where"], "top_n": config.top_n, "smoothing": config.smoothing}
    return context.sum_of_stages([fs_lambda_loss(s, labels, **options) for s in scores])
