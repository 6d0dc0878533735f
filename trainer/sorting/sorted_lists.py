"""Lists in sorted order, for the operators that see an item only through its rank."""

from typing import NamedTuple

import tensorflow as tf

from trainer.sorting.survival import LOG_ZERO, Survival, prepare


class SortedLists(NamedTuple):
    """The lists of a batch, each sorted: the best real item first, padding last.

    Args:
      scores: `[num_lists, list_size]`, centred and descending; zero on padding.
      where: bool `[num_lists, list_size]`, true on real items.
      size: int32 `[num_lists, 1]`, how many items are real.
      k: int32 `[num_lists, 1]`, size of the head, from 0 to `size`.
      temperature: `[num_lists, 1]`.
      order: int32 `[num_lists, list_size]`, where in the unsorted list each item stands.
      shape: int32 vector, the shape of the unsorted scores.
    """

    scores: tf.Tensor
    where: tf.Tensor
    size: tf.Tensor
    k: tf.Tensor
    temperature: tf.Tensor
    order: tf.Tensor
    shape: tf.Tensor

    def per_list(self, values: float | tf.Tensor) -> tf.Tensor:
        """Returns `[num_lists, 1]` of a number or of a tensor that has one value per list in the scores' shape."""
        return _per_list(tf.cast(values, self.scores.dtype), self.shape)

    def starts_of_ties(self) -> tf.Tensor:
        """Returns bool `[num_lists, list_size]`: false where an item's score equals that of the item before it."""
        before = tf.roll(self.scores, 1, axis=-1)
        first = tf.range(tf.shape(self.scores)[-1]) == 0
        return first | ~self.where | (self.scores != before)

    def unsort(self, values: tf.Tensor) -> tf.Tensor:
        """Returns values of the sorted items, `[num_lists, list_size]`, in the shape and order of the scores."""
        return tf.reshape(tf.gather(values, tf.argsort(self.order), batch_dims=1), self.shape)

    def survival(self, log_head: tf.Tensor, log_tail: tf.Tensor) -> Survival:
        """Returns values of the sorted items, `[num_lists, list_size]`, in the shape and order of the scores.

        Padding gets `LOG_ZERO`. Where `k` is 0 or the list survives whole, head and tail are certain.
        """
        keeps_none, keeps_all = self.k == 0, self.k == self.size

        def settle(values: tf.Tensor, never: tf.Tensor, always: tf.Tensor) -> tf.Tensor:
            values = tf.where(always, tf.zeros([], values.dtype), values)
            return self.unsort(tf.where(self.where & ~never, values, tf.cast(LOG_ZERO, values.dtype)))

        return Survival(settle(log_head, keeps_none, keeps_all), settle(log_tail, keeps_all, keeps_none))


def sort_lists(
    scores: tf.Tensor, k: int | tf.Tensor, where: tf.Tensor | None, temperature: float | tf.Tensor
) -> SortedLists:
    """Sorts the lists of an operator's arguments, with one leading dimension.

    Args:
      scores: `[..., list_size]`, larger is better.
      k: size of the head, an int or an int tensor `[...]`.
      where: bool `[..., list_size]`, true on real items; `None` means all are.
      temperature: positive; a float or a tensor `[...]`.

    Raises:
      ValueError: if `temperature` is a number that is not positive.
    """
    scores, where, temperature = prepare(scores, where, temperature)
    shape, list_size = tf.shape(scores), scores.shape[-1] or tf.shape(scores)[-1]
    scores, where = tf.reshape(scores, [-1, list_size]), tf.reshape(where, [-1, list_size])
    order = tf.argsort(tf.where(where, scores, -float("inf")), direction="DESCENDING", stable=True)
    size = tf.reduce_sum(tf.cast(where, tf.int32), axis=-1, keepdims=True)
    return SortedLists(
        scores=tf.gather(scores, order, batch_dims=1),
        where=tf.gather(where, order, batch_dims=1),
        size=size,
        k=tf.clip_by_value(_per_list(tf.cast(k, tf.int32), shape), 0, size),
        temperature=_per_list(temperature[..., 0], shape),
        order=order,
        shape=shape,
    )


def _per_list(values: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.broadcast_to(values, shape[:-1]), [-1, 1])
