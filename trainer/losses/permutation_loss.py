"""The sorting operators on their own: the soft permutation against that of the labels."""

from typing import Protocol

import tensorflow as tf

from trainer.config import losses
from trainer.global_batch import Batch
from trainer.losses.context import CascadeLossValue, LossContext
from trainer.losses.label_permutation import label_permutation
from trainer.losses.lists import count, has_order, mean_of_lists
from trainer.losses.terms import log_plus
from trainer.sorting.neural_sort import neural_sort_permutation
from trainer.sorting.soft_sort import soft_sort_permutation
from trainer.sorting.survival import real_items


class Permutation(Protocol):
    """A differentiable sort that gives a whole matrix."""

    def __call__(
        self, scores: tf.Tensor, *, where: tf.Tensor | None = None, temperature: float | tf.Tensor = 1.0
    ) -> tf.Tensor:
        """Returns the log of a soft permutation matrix, `[..., list_size, list_size]`, row = position."""


def permutation_loss(
    scores: tf.Tensor,
    labels: tf.Tensor,
    *,
    where: tf.Tensor | None = None,
    temperature: float | tf.Tensor = 50.0,
    permutation: Permutation = neural_sort_permutation,
    epsilon: float = 0.0,
) -> tf.Tensor:
    """Cross-entropy of a soft permutation matrix `P` with that of the labels, `Y`.

        L = -(1/n²) Σ_kj Y_kj·ln P_kj

    over the `n` real items of a list, averaged over the lists with two different labels; zero if there is none. This
    is the global term of ARF (Wang et al., WWW 2024) and, on its own, the "NeuralSort" and "SoftSort" of LCRON, arXiv
    2503.09492, Table 7.

    Args:
      scores: `[..., list_size]`, one stage's scores.
      labels: `[..., list_size]`, larger is better; tied items share their positions.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: of the sort; a float or a tensor `[...]`.
      permutation: the sort.
      epsilon: added inside the logarithm, which bounds it; 0 computes it in log space, unbounded.

    Returns:
      A scalar.

    Raises:
      ValueError: if `temperature` is a number that is not positive.

    Example:
      >>> permutation_loss(tf.zeros([1, 2]), tf.constant([[1, 0]]))
      0.34657359
    """
    labels = tf.convert_to_tensor(labels)
    where = real_items(labels, where)
    log_permutation = permutation(scores, where=where, temperature=temperature)
    target = tf.cast(label_permutation(labels, where=where), log_permutation.dtype)
    losses = tf.where(target > 0, -target * log_plus(log_permutation, epsilon), 0.0)
    size = tf.cast(tf.maximum(count(where), 1), losses.dtype)
    return mean_of_lists(tf.reduce_sum(losses, axis=[-2, -1]) / size**2, has_order(labels, where))


PERMUTATIONS: dict[losses.PermutationKind, Permutation] = {
    "neural_sort": neural_sort_permutation,
    "soft_sort": soft_sort_permutation,
}


def cascade_permutation(
    config: losses.Permutation, context: LossContext, scores: list[tf.Tensor], batch: Batch
) -> CascadeLossValue:
    """The adapter of `permutation_loss`."""
    temperature = context.temperature(config.operator, config.temperature, batch)
    return context.sum_of_stages(
        [
            permutation_loss(
                stage_scores,
                batch["labels"],
                where=batch["where"],
                temperature=temperature,
                permutation=PERMUTATIONS[config.operator],
                epsilon=config.epsilon,
            )
            for stage_scores in scores
        ]
    )
