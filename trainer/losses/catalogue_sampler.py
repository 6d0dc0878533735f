"""Draws catalogue items as negatives and knows how often it draws each."""

import numpy as np
import tensorflow as tf

from trainer.uniform import stateless_uniform

_LEAST_COUNT = 1e-30  # of what is never drawn, so that its logarithm is finite


class CatalogueSampler:
    """Draws catalogue rows, with replacement, from a mix of popularity and uniform.

    Args:
      num_items: items of the catalogue, rows `1..num_items`; row 0 is never drawn.
      log_frequency: `[num_items + 1]`, log-probability of each row among the ground truth of the training data;
        `None` if unknown, which makes the sampler uniform.
      popularity_share: share of draws by popularity, in `[0, 1)`; the rest is uniform.

    Raises:
      ValueError: if `log_frequency` has another shape, or `popularity_share` is out of range.
    """

    def __init__(self, num_items: int, log_frequency: np.ndarray | None, popularity_share: float) -> None:
        if not 0 <= popularity_share < 1:
            raise ValueError(f"`popularity_share` must be in [0, 1). Received: popularity_share={popularity_share}")
        uniform = np.full(num_items + 1, 1.0 / num_items)
        uniform[0] = 0.0
        self.num_items = num_items
        self.knows_frequency = log_frequency is not None
        if log_frequency is None:
            frequency = probability = uniform
        else:
            log_frequency = np.asarray(log_frequency, np.float64)
            if log_frequency.shape != uniform.shape:
                raise ValueError(
                    f"`log_frequency` must have one entry per row of the catalogue, [{num_items + 1}]. "
                    f"Received: shape {list(log_frequency.shape)}"
                )
            frequency = np.exp(log_frequency)
            frequency[0] = 0.0
            frequency /= max(frequency.sum(), np.finfo(np.float64).tiny)
            probability = popularity_share * frequency + (1 - popularity_share) * uniform
        cumulative = np.cumsum(probability)
        self._cumulative = tf.constant(cumulative / cumulative[-1])
        self._probability = tf.constant(probability, tf.float32)
        self._frequency = tf.constant(frequency, tf.float32)

    def sample(self, num_sampled: int, seed: tf.Tensor) -> tf.Tensor:
        """Returns int32 `[num_sampled]` catalogue rows; the same for the same int `seed` `[2]`."""
        draw = stateless_uniform([num_sampled], seed, tf.float64)
        row = tf.searchsorted(self._cumulative, draw, side="right")
        return tf.clip_by_value(row, 1, tf.shape(self._cumulative)[0] - 1)

    def log_expected_count(self, item: tf.Tensor, num_sampled: int, num_in_batch: tf.Tensor) -> tf.Tensor:
        """Returns the log of how often an item is expected among the candidates of a batch.

        Args:
          item: int32 `[...]` catalogue rows.
          num_sampled: rows drawn by `sample`.
          num_in_batch: scalar, ground-truth items of the batch that are candidates as well.

        Returns:
          float32 `[...]`.
        """
        count = num_sampled * tf.gather(self._probability, item)
        count += tf.cast(num_in_batch, tf.float32) * tf.gather(self._frequency, item)
        return tf.math.log(tf.maximum(count, _LEAST_COUNT))
