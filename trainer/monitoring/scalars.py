"""Curves of the losses, their weights, the recalls, the gradients and the learning rate."""

import tensorflow as tf

from trainer.monitoring.tensorboard import IntervalCallback, SummaryWriters, tag
from trainer.reporting import VALIDATION, WAITING_S, WAITING_SHARE

_SPEED = (WAITING_S, WAITING_SHARE)


class Scalars(IntervalCallback):
    """Writes `loss/*`, `loss_weight/*`, `recall/*`, `gradient_norm/*` and `learning_rate`.

    The losses and recalls of training are means of the epoch so far, the norms those of the step; the metrics of the
    evaluation split are written after each epoch.

    Args:
      writers: of the run.
      interval_steps: steps between two points of the training curves.
    """

    def __init__(self, writers: SummaryWriters, interval_steps: int = 20) -> None:
        super().__init__(interval_steps)
        self._writers = writers

    def on_interval(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        self._write_train(self.step(batch), logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        step = self.step(self.num_steps - 1)
        validation = {name: value for name, value in logs.items() if name.startswith(VALIDATION)}
        if not self.is_due(self.num_steps - 1):  # it has written that point already
            self._write_train(step, {name: value for name, value in logs.items() if name not in validation})
        with self._writers.validation.as_default(step):
            for name, value in validation.items():
                tf.summary.scalar(tag(name.removeprefix(VALIDATION)), value)
        self._writers.flush()

    def _write_train(self, step: int, logs: dict[str, tf.Tensor | float]) -> None:
        with self._writers.train.as_default(step):
            for name, value in logs.items():
                if name not in _SPEED:
                    tf.summary.scalar(tag(name), value)
            tf.summary.scalar("learning_rate", self.model.optimizer.learning_rate)
        self._writers.flush()
