"""Attention logits of every item with every event, without holding what is between."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

CPU_BLOCK_SIZE = 2**19
GPU_BLOCK_SIZE = 2**26


def additive_logits(
    events: tf.Tensor, items: tf.Tensor, kernel: tf.Tensor, *, block_size: int | None = None
) -> tf.Tensor:
    """Compares every item of a request with every event by one hidden layer of rectified units.

    With the events' part `a_l` and the items' part `c_n` of the hidden layer, and its output kernel `w`,

        logit_nl = Σ_h w_h·relu(a_lh + c_nh) = Σ_h w_h·max(a_lh, -c_nh) + Σ_h w_h·c_nh.

    The hidden units of all pairs are larger than all the rest of a model, so they are made for a few requests at a
    time, in a processor's cache, and again in the backward pass. That needs no more than which units are active: with
    the gradient `g_nl` of a logit and

        A_lh = Σ_n g_nl·1[a_lh > -c_nh],    C_nh = Σ_l g_nl·1[a_lh > -c_nh],

    the gradients are `w_h·A_lh`, `w_h·C_nh` and, of `w_h`, `Σ_l a_lh·A_lh + Σ_n c_nh·C_nh`. There is no second
    derivative.

    Args:
      events: `[batch_size, num_events, num_units]`.
      items: `[batch_size, num_items, num_units]`.
      kernel: `[num_units, 1]`.
      block_size: hidden units held at a time, those of one request at least; `None` chooses by the device.

    Returns:
      `[batch_size, num_items, num_events]`.
    """
    if block_size is None:
        block_size = GPU_BLOCK_SIZE if tf.config.list_logical_devices("GPU") else CPU_BLOCK_SIZE

    @tf.custom_gradient
    def logits(events: tf.Tensor, items: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        num_events, num_items, num_units = tf.shape(events)[1], tf.shape(items)[1], kernel.shape[0]
        max_requests = block_size // tf.maximum(num_items * num_events * num_units, 1)

        def compare(events: tf.Tensor, minus_items: tf.Tensor) -> tf.Tensor:
            hidden = tf.maximum(events[:, tf.newaxis], minus_items[:, :, tf.newaxis])
            values = tf.matmul(tf.reshape(hidden, [-1, num_units]), kernel)  # far quicker than by a batch of matrices
            return tf.reshape(values, [-1, num_items, num_events])

        def total(values: tf.Tensor) -> tf.Tensor:
            full = (
                tf.cast(values, tf.float32) if values.dtype.size < 4 else values
            )  # so many halves add up to too little
            return tf.cast(tf.reduce_sum(full, axis=[0, 1]), values.dtype)

        def gradient(upstream: tf.Tensor) -> list[tf.Tensor]:
            def sum_active(events: tf.Tensor, minus_items: tf.Tensor, upstream: tf.Tensor) -> tuple:
                is_active = events[:, tf.newaxis] > minus_items[:, :, tf.newaxis]
                active = tf.where(is_active, upstream[..., tf.newaxis], tf.zeros([], upstream.dtype))
                return tf.reduce_sum(active, axis=1), tf.reduce_sum(active, axis=2)

            by_event, by_item = _by_blocks(
                sum_active, [events, -items, upstream], (events.dtype, items.dtype), max_requests
            )
            to_kernel = total(events * by_event) + total(items * by_item)
            weights = tf.squeeze(kernel, axis=-1)
            message = "Attention logits have no second derivative."
            return [
                tf.raw_ops.PreventGradient(input=value, message=message)
                for value in (weights * by_event, weights * by_item, to_kernel[:, tf.newaxis])
            ]

        pairs = _by_blocks(compare, [events, -items], events.dtype, max_requests)
        return pairs + tf.matmul(items, kernel), gradient

    return logits(events, items, kernel)


def _by_blocks(function: Callable, tensors: Sequence[tf.Tensor], dtype: Any, max_requests: tf.Tensor) -> Any:
    """Applies a function to a few requests at a time; returns its results for all of them."""
    batch_size = tf.shape(tensors[0])[0]
    num_blocks = tf.maximum(-(-batch_size // tf.maximum(max_requests, 1)), 1)
    num_requests = -(-batch_size // num_blocks)

    def split(values: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(values)
        padding = tf.concat([[num_blocks * num_requests - batch_size], shape[1:]], axis=0)
        values = tf.concat([values, tf.zeros(padding, values.dtype)], axis=0)
        return tf.reshape(values, tf.concat([[num_blocks, num_requests], shape[1:]], axis=0))

    def join(values: tf.Tensor) -> tf.Tensor:
        return tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], axis=0))[:batch_size]

    results = tf.map_fn(lambda block: function(*block), [split(t) for t in tensors], fn_output_signature=dtype)
    return tf.nest.map_structure(join, results)
