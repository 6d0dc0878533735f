"""The contract of every sorting operator: scores in, the probability of staying in or falling out of the top `k`."""

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


def real_items(scores: tf.Tensor, where: tf.Tensor | None) -> tf.Tensor:
    """Returns the bool mask `[..., list_size]` of the real items; `None` means all are."""
    return tf.ones_like(scores, tf.bool) if where is None else tf.cast(where, tf.bool)


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
    where = real_items(scores, where)
    scores = tf.where(where, scores, 0.0)
    size = tf.reduce_sum(tf.cast(where, scores.dtype), axis=-1, keepdims=True)
    centre = tf.reduce_sum(scores, axis=-1, keepdims=True) / tf.maximum(size, 1)
    scores = tf.where(where, scores - tf.stop_gradient(centre), 0.0)
    return scores, where, tf.cast(temperature, scores.dtype)[..., tf.newaxis]


def log_softmax_rows(logits: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns the log of a row-stochastic soft permutation matrix, `softmax(logits)` over the real items of each row.

    Args:
      logits: `[..., list_size, list_size]`, row = position (the best first), column = item.
      where: bool `[..., list_size]`, true on real items.

    Returns:
      `[..., list_size, list_size]`; `LOG_ZERO` in the columns of padding and in the rows beyond the number of real
      items.
    """
    log_zero = tf.cast(LOG_ZERO, logits.dtype)
    logits = tf.where(where[..., tf.newaxis, :], logits, log_zero)
    size = tf.reduce_sum(tf.cast(where, tf.int32), axis=-1)[..., tf.newaxis]
    real_rows = tf.range(tf.shape(logits)[-2]) < size  # [..., list_size]
    real = real_rows[..., :, tf.newaxis] & where[..., tf.newaxis, :]
    return tf.where(real, tf.nn.log_softmax(logits, axis=-1), log_zero)


def survival_of_permutation(log_permutation: tf.Tensor, k: int | tf.Tensor, where: tf.Tensor) -> Survival:
    """Sums a soft permutation matrix into head and tail, normalised by column.

    With `n` real items and the column sum `c_j = Σ_{r≤n} P_rj` taken as a constant,

        head_j = Σ_{r≤k} P_rj / c_j,    tail_j = Σ_{k<r≤n} P_rj / c_j.

    The stop-gradient on `c` is that of LCRON, arXiv 2503.09492, Eq. 9-10. The tail is summed from its own rows
    rather than taken as `1 - head`: the values agree, but with a constant `c` only this form's gradient points
    the right way. In a doubly stochastic matrix `c` is one.

    Args:
      log_permutation: `[..., list_size, list_size]`, `ln P`; row = position (the best first), column = item;
        `LOG_ZERO` in the columns of padding and in the rows beyond the number of real items.
      k: size of the head, an int or an int tensor `[...]`.
      where: bool `[..., list_size]`, true on real items.

    Returns:
      The survival of each item, `[..., list_size]`.
    """
    log_zero = tf.cast(LOG_ZERO, log_permutation.dtype)
    head_size = tf.cast(k, tf.int32)[..., tf.newaxis, tf.newaxis]
    in_head = tf.range(tf.shape(log_permutation)[-2])[:, tf.newaxis] < head_size  # [..., list_size, 1], row 0 = best
    log_head = tf.reduce_logsumexp(tf.where(in_head, log_permutation, log_zero), axis=-2)
    log_tail = tf.reduce_logsumexp(tf.where(in_head, log_zero, log_permutation), axis=-2)
    return survival_of_sums(log_head, log_tail, where)


def survival_of_sums(log_head: tf.Tensor, log_tail: tf.Tensor, where: tf.Tensor) -> Survival:
    """Normalises the sums of the head's and the tail's rows as `survival_of_permutation` says.

    Args:
      log_head: `[..., list_size]`, `ln Σ_{r≤k} P_rj`.
      log_tail: `[..., list_size]`, `ln Σ_{k<r≤n} P_rj`.
      where: bool `[..., list_size]`, true on real items.

    Returns:
      The survival of each item, `[..., list_size]`.
    """
    log_zero = tf.cast(LOG_ZERO, log_head.dtype)
    log_column = tf.stop_gradient(tf.reduce_logsumexp(tf.stack([log_head, log_tail]), axis=0))
    return Survival(
        log_head=tf.where(where, tf.maximum(log_head - log_column, log_zero), log_zero),
        log_tail=tf.where(where, tf.maximum(log_tail - log_column, log_zero), log_zero),
    )
