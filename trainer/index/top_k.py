"""The best of many scores."""

import tensorflow as tf

_BLOCK_SIZE = 128


def blocked_top_k(scores: tf.Tensor, size: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what `tf.math.top_k` returns, by the best of blocks first.

    The `size` best scores lie in the `size` blocks of highest maximum. Those maxima are one vectorised pass over the
    scores, where a flat `top_k` keeps a heap; only the blocks that were chosen are sorted.

    Args:
      scores: float32 `[B, N]`.
      size: number wanted, int32, at least 0.

    Returns:
      Scores float32 and columns int32, both `[B, min(size, N)]`, best first and the lower column first among equals.
    """
    batch_size, num_scores = tf.shape(scores)[0], tf.shape(scores)[1]
    size = tf.minimum(size, num_scores)
    padding = -num_scores % _BLOCK_SIZE
    if scores.shape[1] is None or scores.shape[1] % _BLOCK_SIZE:
        scores = tf.pad(scores, [[0, 0], [0, padding]], constant_values=-float("inf"))
    blocks = tf.reshape(scores, [batch_size, (num_scores + padding) // _BLOCK_SIZE, _BLOCK_SIZE])
    _, block = tf.math.top_k(tf.reduce_max(blocks, axis=-1), tf.minimum(size, tf.shape(blocks)[1]))
    block = tf.sort(block, axis=-1)  # so that equal scores stay in the order of their columns
    candidates = tf.reshape(tf.gather(blocks, block, batch_dims=1), [batch_size, tf.shape(block)[1] * _BLOCK_SIZE])
    best, place = tf.math.top_k(candidates, size)
    column = tf.gather(block, place // _BLOCK_SIZE, batch_dims=1) * _BLOCK_SIZE + place % _BLOCK_SIZE
    return best, column
