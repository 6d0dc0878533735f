"""The operators that compare every score with one threshold per list, `p_j = F((s_j - b) / temperature)`."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from trainer.sorting.survival import LOG_ZERO, Survival, prepare

LogFunction = Callable[[tf.Tensor], tf.Tensor]


class Cut(NamedTuple):
    """A list seen from its `k`-th best score `s_[k]`, in units of the temperature.

    Distances from `s_[k]` keep float32 exact where the threshold is, however cold the temperature.

    Args:
      distance: `[..., list_size]`, `(s_j - s_[k]) / temperature`, with its gradient by the scores and the
        temperature; `s_[k]` counts as a constant, which no operator can notice.
      where: bool `[..., list_size]`, true on real items.
      last_kept: bool `[..., list_size]`, true on items of score `s_[k]`.
      first_cut: bool `[..., list_size]`, true on items of score `s_[k+1]`.
      ordered: `[..., list_size]`, the distances of the real items from the best on, without gradient.
      in_head: bool `[..., list_size]`, true on the first `k` places of `ordered`.
      in_tail: bool `[..., list_size]`, true on the places of the other real items.
      gap: `[..., 1]`, `(s_[k+1] - s_[k]) / temperature`, not positive.
      keeps_none: bool `[..., 1]`, true where `k` is not positive.
      keeps_all: bool `[..., 1]`, true where `k` is positive and at least the number of real items.
    """

    distance: tf.Tensor
    where: tf.Tensor
    last_kept: tf.Tensor
    first_cut: tf.Tensor
    ordered: tf.Tensor
    in_head: tf.Tensor
    in_tail: tf.Tensor
    gap: tf.Tensor
    keeps_none: tf.Tensor
    keeps_all: tf.Tensor


def cut_at(scores: tf.Tensor, k: int | tf.Tensor, where: tf.Tensor | None, temperature: float | tf.Tensor) -> Cut:
    """Returns the `Cut` of each list after its `k` best; the arguments are those of a sorting operator.

    Raises:
      ValueError: if `temperature` is a number that is not positive.
    """
    scores, where, temperature = prepare(scores, where, temperature)
    log_zero = tf.cast(LOG_ZERO, scores.dtype)
    size = tf.reduce_sum(tf.cast(where, tf.int32), axis=-1, keepdims=True)
    k = tf.cast(k, tf.int32)[..., tf.newaxis]
    keeps_none, keeps_all = k <= 0, (k > 0) & (k >= size)
    k = tf.minimum(tf.maximum(k, 1), tf.maximum(size - 1, 1))
    ordered = tf.sort(tf.stop_gradient(tf.where(where, scores, log_zero)), direction="DESCENDING")
    place = tf.range(tf.shape(scores)[-1])

    def score_at(at: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.where((place == at) & (place < size), ordered, 0.0), axis=-1, keepdims=True)

    kept, cut = score_at(k - 1), score_at(k)

    def distance(of: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value((of - kept) / temperature, log_zero, -log_zero)

    return Cut(
        distance=distance(scores),
        where=where,
        last_kept=where & (scores == kept),
        first_cut=where & (scores == cut),
        ordered=tf.stop_gradient(distance(ordered)),
        in_head=place < tf.minimum(k, size),
        in_tail=(place >= k) & (place < size),
        gap=tf.stop_gradient(distance(cut)),
        keeps_none=keeps_none,
        keeps_all=keeps_all,
    )


def survival_at(cut: Cut, threshold: tf.Tensor, weights: tf.Tensor, log_cdf: LogFunction) -> Survival:
    """Returns the survival `F((s_j - b) / temperature)` with the gradient of a threshold that depends on the scores.

    Args:
      cut: the lists.
      threshold: `[..., 1]`, `(b - s_[k]) / temperature`.
      weights: `[..., list_size]`, `∂b/∂s_j`: they sum to 1 per list and are 0 on padding.
      log_cdf: `ln F`, elementwise, of a distribution that is symmetric about 0: `1 - F(z) = F(-z)`.
    """
    threshold, weights = tf.stop_gradient(threshold), tf.stop_gradient(weights)
    move = cut.distance - tf.stop_gradient(cut.distance)  # 0, but for its gradient
    move -= tf.reduce_sum(weights * move, axis=-1, keepdims=True)
    z = tf.stop_gradient(cut.distance) - threshold + move

    def log_survival(log_probability: tf.Tensor, sure: tf.Tensor, excluded: tf.Tensor) -> tf.Tensor:
        log_zero = tf.cast(LOG_ZERO, z.dtype)
        log_probability = tf.where(sure, 0.0, tf.maximum(log_probability, log_zero))
        return tf.where(cut.where & ~excluded, log_probability, log_zero)

    return Survival(
        log_head=log_survival(log_cdf(z), cut.keeps_all, cut.keeps_none),
        log_tail=log_survival(log_cdf(-z), cut.keeps_none, cut.keeps_all),
    )


def implicit_threshold(
    scores: tf.Tensor,
    k: int | tf.Tensor,
    *,
    where: tf.Tensor | None,
    temperature: float | tf.Tensor,
    log_cdf: LogFunction,
    log_density: LogFunction,
    num_steps: int = 12,
) -> Survival:
    """Keeps `p_j = F((s_j - b) / temperature)` of each item, with the threshold `b` at which `Σ_j p_j = k`.

    With `H` the `k` best items of a list, `Σ_j p_j = k` says that what `H` loses is what the others win,

        R(b) = ln Σ_{j∈H} (1 - p_j) - ln Σ_{j∉H} p_j = 0,

    an equation that stays well-conditioned where all `p` round to 0 or 1: with the logistic or the Laplace
    distribution `R` rises with a slope between 1 and 2 per temperature, and its root is within `ln n` temperatures of
    the middle of `s_[k]` and `s_[k+1]`. A Newton step that would leave the interval known to hold the root becomes
    a bisection.

    The threshold follows from the implicit function theorem, `∂b/∂s_j = q_j = f_j / Σ_l f_l` with the density `f`
    of `F`, so that `∂p_i/∂s_j = f_i·(δ_ij - q_j) / temperature`. The gradient of `ln p` is formed from
    `d ln F / dz` and `q` from `ln f`: nothing overflows or vanishes where `p` does.

    Args:
      scores: `[..., list_size]`, larger is better.
      k: size of the head, an int or an int tensor `[...]` with one size per list.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: positive; a float or a tensor `[...]`.
      log_cdf: `ln F`, elementwise, of a distribution that is symmetric about 0.
      log_density: `ln F'`, elementwise; `LOG_ZERO` where the density is 0.
      num_steps: of Newton's method or of bisection; the default serves smooth distributions.

    Returns:
      The survival of each item, `[..., list_size]`; its gradient reaches scores and temperature.

    Raises:
      ValueError: if `temperature` is a number that is not positive.
    """
    cut = cut_at(scores, k, where, temperature)
    log_zero = tf.cast(LOG_ZERO, cut.distance.dtype)

    def log_sum(mask: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        return tf.reduce_logsumexp(tf.where(mask, values, log_zero), axis=-1, keepdims=True)

    size = tf.reduce_sum(tf.cast(cut.where, cut.gap.dtype), axis=-1, keepdims=True)
    reach = 1 + tf.math.log(tf.maximum(size, 1))

    def step(threshold: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        z = cut.ordered - threshold
        log_f = log_density(z)
        lost, won = log_sum(cut.in_head, log_cdf(-z)), log_sum(cut.in_tail, log_cdf(z))
        slope = tf.exp(log_sum(cut.in_head, log_f) - lost) + tf.exp(log_sum(cut.in_tail, log_f) - won)
        residual = lost - won
        low, high = tf.where(residual <= 0, threshold, low), tf.where(residual >= 0, threshold, high)
        newton = threshold - tf.math.divide_no_nan(residual, slope)
        return tf.where((newton >= low) & (newton <= high), newton, (low + high) / 2), low, high

    middle = cut.gap / 2
    bracket = (middle, middle - reach, middle + reach)
    threshold, _, _ = tf.while_loop(lambda *_: True, step, bracket, maximum_iterations=num_steps)
    log_f = tf.where(cut.where, log_density(tf.stop_gradient(cut.distance) - threshold), log_zero)
    return survival_at(cut, threshold, tf.nn.softmax(log_f, axis=-1), log_cdf)
