"""How long the gradients of a step are."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import tensorflow as tf

Gradient: TypeAlias = tf.Tensor | tf.IndexedSlices

GLOBAL = "global"
"""Group of all gradients together."""


def gradient_norms(gradients_by_group: Mapping[str, Sequence[Gradient]]) -> dict[str, tf.Tensor]:
    """Computes the L2 norm of each group's gradients and of all of them.

    Args:
      gradients_by_group: gradients by what they belong to, such as a stage. Of `IndexedSlices` no row may come twice
        (see `summed_rows`).

    Returns:
      A scalar by group, and one named `global`, in float32. A gradient that is not finite makes its norm so.
    """
    squares = {
        group: 2 * tf.add_n([tf.zeros([]), *(tf.nn.l2_loss(_values(each)) for each in gradients)])
        for group, gradients in gradients_by_group.items()
    }
    squares[GLOBAL] = tf.add_n(list(squares.values()))
    return {group: tf.sqrt(square) for group, square in squares.items()}


def summed_rows(gradient: Gradient) -> Gradient:
    """Sums up the values of equal rows of an `IndexedSlices`; a dense gradient stays as it is."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, position = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, position, tf.shape(rows)[0])
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def _values(gradient: Gradient) -> tf.Tensor:
    return tf.cast(gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient, tf.float32)
