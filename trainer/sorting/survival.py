"""The contract of every sorting operator: scores in, the odds of staying in or falling out of the top `k`."""

from typing import NamedTuple, Protocol

import tensorflow as tf

LOG_ZERO = -1e30
"""Stands for `ln 0`: finite, so that no gradient becomes NaN."""


class Survival(NamedTuple):
    """Soft probability of each item to be among the best `k` of its list, and not to be, in log space.

    Args:
      log_head: `[..., list_size]`, log-probability of the top `k`; `LOG_ZERO` on padding.
      log_tail: `[..., list_size]`, log-probability of the rest; `LOG_ZERO` on padding.
    """

    log_head: tf.Tensor
    log_tail: tf.Tensor

    @property
    def head(self) -> tf.Tensor:
        """Probability of surviving, `[..., list_size]`; zero on padding."""
        return tf.exp(self.log_head)

    @property
    def tail(self) -> tf.Tensor:
        """Probability of being cut, `[..., list_size]`; zero on padding."""
        return tf.exp(self.log_tail)


class SortingOperator(Protocol):
    """A differentiable top-`k`."""

    def __call__(
        self,
        scores: tf.Tensor,
        k: int | tf.Tensor,
        *,
        where: tf.Tensor | None = None,
        temperature: float | tf.Tensor = 1.0,
    ) -> Survival:
        """Returns the survival of each item.

        Args:
          scores: `[..., list_size]`, larger is better.
          k: size of the head, an int or an int tensor `[...]` with one size per list.
          where: bool `[..., list_size]`, true on real items; `None` means all are.
          temperature: positive; a float or a tensor `[...]`. The smaller, the harder the sort.

        Returns:
          A `Survival` of `[..., list_size]` tensors in float32 (float64 for float64 scores).
        """


def prepare(
    scores: tf.Tensor, where: tf.Tensor | None, temperature: float | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns scores in at least float32 with zero on padding, a bool mask and a `[..., 1]` temperature.

    The scores are centred, which no sort can notice, so that large offsets cost no precision.

    Raises:
      ValueError: if `temperature` is a number that is not positive.
    """
    if isinstance(temperature, int | float) and temperature <= 0:
        raise ValueError(f"`temperature` must be positive. Received: temperature={temperature}")
    scores = tf.convert_to_tensor(scores)
    if scores.dtype != tf.float64:
        scores = tf.cast(scores, tf.float32)
    where = tf.ones_like(scores, tf.bool) if where is None else tf.cast(where, tf.bool)
    scores = tf.where(where, scores, 0.0)
    size = tf.reduce_sum(tf.cast(where, scores.dtype), axis=-1, keepdims=True)
    centre = tf.reduce_sum(scores, axis=-1, keepdims=True) / tf.maximum(size, 1)
    scores = tf.where(where, scores - tf.stop_gradient(centre), 0.0)
    return scores, where, tf.cast(temperature, scores.dtype)[..., tf.newaxis]


def survival_of_permutation(logits: tf.Tensor, k: int | tf.Tensor, where: tf.Tensor) -> Survival:
    """Sums a soft permutation matrix into head and tail, normalised by column.

    With `P = softmax(logits)` over the real items of each row, `n` real items and the column sum
    `c_j = Σ_{r≤n} P_rj` taken as a constant,

        head_j = Σ_{r≤k} P_rj / c_j,    tail_j = Σ_{k<r≤n} P_rj / c_j.

    The stop-gradient on `c` is that of LCRON, arXiv 2503.09492, Eq. 9-10. The tail is summed from its own rows
    rather than taken as `1 - head`: the values agree, but with a constant `c` only this form's gradient points
    the right way.

    Args:
      logits: `[..., list_size, list_size]`, row = position (the best first), column = item.
      k: size of the head, an int or an int tensor `[...]`.
      where: bool `[..., list_size]`, true on real items.

    Returns:
      The survival of each item, `[..., list_size]`.
    """
    log_zero = tf.cast(LOG_ZERO, logits.dtype)
    log_permutation = tf.nn.log_softmax(tf.where(where[..., tf.newaxis, :], logits, log_zero), axis=-1)
    size = tf.reduce_sum(tf.cast(where, tf.int32), axis=-1)[..., tf.newaxis, tf.newaxis]
    head_size = tf.cast(k, tf.int32)[..., tf.newaxis, tf.newaxis]
    position = tf.range(tf.shape(logits)[-2])[:, tf.newaxis]  # [list_size, 1], 0 = best

    def log_sum(rows: tf.Tensor) -> tf.Tensor:
        return tf.reduce_logsumexp(tf.where(rows & (position < size), log_permutation, log_zero), axis=-2)

    log_head, log_tail = log_sum(position < head_size), log_sum(position >= head_size)
    log_column = tf.stop_gradient(tf.reduce_logsumexp(tf.stack([log_head, log_tail]), axis=0))
    return Survival(
        log_head=tf.where(where, tf.maximum(log_head - log_column, log_zero), log_zero),
        log_tail=tf.where(where, tf.maximum(log_tail - log_column, log_zero), log_zero),
    )
