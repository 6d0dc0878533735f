"""Keeps the weights of the best, or of the last, epoch and knows when there is no hope for a better one."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from trainer.release.training_record import EpochRecord
from trainer.reporting import VALIDATION


class BestEpoch(tf.keras.callbacks.Callback):
    """Remembers the weights after the epoch of the highest validation metric; of equal ones the first.

    Args:
      metric: name in the epoch's logs, `val_...`; larger is better.
      patience: epochs without a better one after which `is_over`; `None` never gives up.
      takes_last: whether every epoch counts as better than those before it.
    """

    def __init__(self, metric: str, patience: int | None = None, *, takes_last: bool = False) -> None:
        super().__init__()
        self.epoch = 0
        self.value = -math.inf
        self.weights: list[np.ndarray] = []
        self._metric = metric
        self._patience = patience
        self._takes_last = takes_last
        self._num_epochs = 0

    @property
    def is_over(self) -> bool:
        """Whether the last `patience` epochs were no better than the best one."""
        return self._patience is not None and self._num_epochs - self.epoch >= self._patience

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self._sees(epoch + 1, float(logs[self._metric])):
            self.weights = self.model.get_weights()

    def restore(self) -> None:
        """Gives the model the weights that were kept."""
        self.model.set_weights(self.weights)

    def restore_state(self, epochs: Sequence[EpochRecord], weights: Sequence[np.ndarray]) -> None:
        """Goes on after the epochs of an interrupted run, of which the best had these weights."""
        for record in epochs:
            self._sees(record.epoch, record.validation[self._metric.removeprefix(VALIDATION)])
        self.weights = list(weights)

    def _sees(self, epoch: int, value: float) -> bool:
        self._num_epochs = epoch
        is_better = self._takes_last or value > self.value
        if is_better:
            self.epoch, self.value = epoch, value
        return is_better
