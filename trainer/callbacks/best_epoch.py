"""Keeps the weights of the best epoch."""

import math

import numpy as np
import tensorflow as tf


class BestEpoch(tf.keras.callbacks.Callback):
    """Remembers the weights after the epoch of the highest metric; of equal ones the first.

    Args:
      metric: name in the epoch's logs, larger is better.
    """

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.epoch = 0
        self.value = -math.inf
        self._metric = metric
        self._weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if logs[self._metric] > self.value:
            self.epoch, self.value = epoch + 1, float(logs[self._metric])
            self._weights = self.model.get_weights()

    def restore(self) -> None:
        """Gives the model the weights of the best epoch."""
        self.model.set_weights(self._weights)
