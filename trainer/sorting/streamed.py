"""Head and tail of a soft permutation matrix, summed over blocks of its rows, so that the matrix is never held."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from trainer.sorting.sorted_lists import SortedLists
from trainer.sorting.survival import LOG_ZERO, Survival, survival_of_sums

DENSE_LIMIT = 256
"""Longest list whose matrix is held: up to here the dense form is about as fast, and its memory is small."""

_BLOCK_SIZE = 32

Kernel = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Logits `[num_lists, rows, items]` from what is known of rows, `[num_lists, rows, 1]`, and of items,
`[num_lists, 1, items]`."""


def prefers_streaming(scores: tf.Tensor, streamed: bool | None) -> bool:
    """Returns `streamed` or, if `None`, whether the lists are longer than `DENSE_LIMIT` or of unknown length."""
    list_size = scores.shape[-1]
    return (list_size is None or list_size > DENSE_LIMIT) if streamed is None else streamed


def streamed_survival(
    lists: SortedLists, kernel: Kernel, rows: tf.Tensor, items: tf.Tensor, offsets: tf.Tensor
) -> Survival:
    """Does what `survival_of_permutation` does, in `O(list_size)` memory per list.

    The matrix has the rows

        P_r = softmax_j( kernel(row_r, item_j) - offset_j ).

    Both passes walk through blocks of rows. The forward pass keeps the logarithms of the sums per item and of the
    normaliser per row; the backward pass makes each block again from them. With `H_j` the sum of the half that row `r`
    belongs to, head or tail, and `g_j` the gradient of `ln H_j`, the logits of a row receive the exact gradient

        w_rj - P_rj·Σ_l w_rl,    w_rj = g_j·P_rj / H_j.

    There is no second derivative.

    Args:
      lists: the sorted lists.
      kernel: differentiable, cheap to repeat.
      rows: `[num_lists, list_size]`, what the kernel needs of each position.
      items: `[num_lists, list_size]`, what it needs of each sorted item.
      offsets: `[num_lists, list_size]`, ignored on padding.

    Returns:
      The survival of each item in the order and shape of the unsorted scores.
    """
    offsets = tf.where(lists.where, offsets, tf.cast(-LOG_ZERO, offsets.dtype))
    blocks = _blocks(lists)
    rows = tf.transpose(tf.gather(rows, blocks.position, batch_dims=1), [1, 0, 2])
    survival = survival_of_sums(*_log_sums(blocks, kernel, rows, items, offsets), lists.where)
    return Survival(lists.unsort(survival.log_head), lists.unsort(survival.log_tail))


class _Blocks(NamedTuple):
    """The rows of each list in blocks that lie in the head or in the tail, never across.

    Args:
      position: int32 `[num_lists, num_blocks, block_size]`, the position of each row, 0 = best.
      real: bool `[num_blocks, num_lists, block_size]`, false on the rows that only fill a block.
      in_head: bool `[num_blocks, num_lists, 1]`.
    """

    position: tf.Tensor
    real: tf.Tensor
    in_head: tf.Tensor


def _blocks(lists: SortedLists) -> _Blocks:
    list_size = lists.scores.shape[-1] or tf.shape(lists.scores)[-1]
    num_blocks = -(-list_size // _BLOCK_SIZE) + 1  # the head's last block and the tail's may both be part empty
    num_head_rows = -(-lists.k // _BLOCK_SIZE) * _BLOCK_SIZE
    row = tf.range(num_blocks * _BLOCK_SIZE)  # [num_rows]
    in_head = row < num_head_rows  # [num_lists, num_rows]
    position = tf.where(in_head, row, row - num_head_rows + lists.k)
    real = position < tf.where(in_head, lists.k, lists.size)

    def split(values: tf.Tensor) -> tf.Tensor:
        return tf.reshape(values, [-1, num_blocks, _BLOCK_SIZE])

    return _Blocks(
        position=split(tf.minimum(position, list_size - 1)),
        real=tf.transpose(split(real), [1, 0, 2]),
        in_head=tf.transpose(split(in_head)[..., :1], [1, 0, 2]),
    )


def _log_sums(
    blocks: _Blocks, kernel: Kernel, rows: tf.Tensor, items: tf.Tensor, offsets: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the log-sums of the head's and the tail's rows per item, `LOG_ZERO` where there is no row.

    Args:
      blocks: the layout of the rows.
      kernel: see `streamed_survival`.
      rows: `[num_blocks, num_lists, block_size]`.
      items: `[num_lists, list_size]`.
      offsets: `[num_lists, list_size]`, `-LOG_ZERO` on padding.
    """
    # An eager tape records the forward pass of a custom gradient too, and would hold every block of a watched tensor.
    watched = rows, items, offsets
    rows, items, offsets = (tf.stop_gradient(tensor) for tensor in watched)
    log_zero = tf.cast(LOG_ZERO, items.dtype)
    num_blocks = tf.shape(rows)[0] if rows.shape[0] is None else rows.shape[0]

    def loop(body: Callable, *state: tf.Tensor) -> list[tf.Tensor]:
        """Runs `body(block, rows of the block, *state)` over the blocks; stacks what it returns beside the state."""
        stack = tf.TensorArray(items.dtype, num_blocks, element_shape=rows.shape[1:])

        def step(block: tf.Tensor, stack: tf.TensorArray, *state: tf.Tensor) -> tuple:
            *state, values = body(block, rows[block], *state)
            return block + 1, stack.write(block, values), *state

        _, stack, *state = tf.while_loop(
            lambda block, *_: block < num_blocks, step, (0, stack, *state), parallel_iterations=1
        )
        return [*state, stack.stack()]

    def logits(row: tf.Tensor, items: tf.Tensor, offsets: tf.Tensor) -> tf.Tensor:
        return kernel(row[..., tf.newaxis], items[:, tf.newaxis, :]) - offsets[:, tf.newaxis, :]

    @tf.custom_gradient
    def log_sums(_: tf.Tensor, watched_items: tf.Tensor, watched_offsets: tf.Tensor) -> tuple:
        def add(block: tf.Tensor, row: tf.Tensor, log_head: tf.Tensor, log_tail: tf.Tensor) -> tuple:
            block_logits = logits(row, items, offsets)
            # A row that is not real gets an infinite normaliser, hence no probability, in both passes.
            normaliser = tf.where(blocks.real[block], tf.reduce_logsumexp(block_logits, axis=-1), -log_zero)
            log_sum = tf.reduce_logsumexp(block_logits - normaliser[..., tf.newaxis], axis=-2)
            in_head = blocks.in_head[block]
            log_sum = _log_add_exp(tf.where(in_head, log_head, log_tail), log_sum)
            return tf.where(in_head, log_sum, log_head), tf.where(in_head, log_tail, log_sum), normaliser

        nothing = tf.fill(tf.shape(items), log_zero)
        log_head, log_tail, normalisers = loop(add, nothing, nothing)

        def gradient(upstream_head: tf.Tensor, upstream_tail: tf.Tensor) -> tuple:
            # Where nothing was summed, nothing may be divided by it.
            safe_head = tf.where(log_head > log_zero / 2, log_head, 0.0)
            safe_tail = tf.where(log_tail > log_zero / 2, log_tail, 0.0)

            def add(block: tf.Tensor, row: tf.Tensor, to_items: tf.Tensor, to_offsets: tf.Tensor) -> tuple:
                with tf.GradientTape() as tape:
                    tape.watch([row, watched_items, watched_offsets])
                    block_logits = logits(row, watched_items, watched_offsets)
                log_permutation = block_logits - normalisers[block][..., tf.newaxis]
                in_head = blocks.in_head[block]
                log_sum = tf.where(in_head, safe_head, safe_tail)[:, tf.newaxis, :]
                upstream = tf.where(in_head, upstream_head, upstream_tail)[:, tf.newaxis, :]
                weights = upstream * tf.exp(log_permutation - log_sum)
                to_logits = weights - tf.exp(log_permutation) * tf.reduce_sum(weights, axis=-1, keepdims=True)
                to_row, *to_columns = tape.gradient(
                    block_logits,
                    [row, watched_items, watched_offsets],
                    to_logits,
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
                return to_items + to_columns[0], to_offsets + to_columns[1], to_row

            zeros = tf.zeros_like(items)
            to_items, to_offsets, to_rows = loop(add, zeros, zeros)
            message = "The streamed sum of a soft permutation matrix has no second derivative."
            return tuple(
                tf.raw_ops.PreventGradient(input=value, message=message) for value in (to_rows, to_items, to_offsets)
            )

        return (log_head, log_tail), gradient

    return log_sums(*watched)


def _log_add_exp(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.maximum(a, b) + tf.math.log1p(tf.exp(-tf.abs(a - b)))
