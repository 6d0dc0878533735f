"""Callbacks that look every so many steps."""

import tensorflow as tf


class IntervalCallback(tf.keras.callbacks.Callback):
    """Calls `on_interval` at the first step of a run and every `interval_steps` after it, whatever the epochs.

    Steps count from the start of the whole run, so an interrupted run goes on where its curves ended.

    Args:
      interval_steps: steps between two looks.
    """

    def __init__(self, interval_steps: int) -> None:
        super().__init__()
        if interval_steps < 1:
            raise ValueError(f"`interval_steps` must be at least 1. Received: interval_steps={interval_steps}")
        self.interval_steps = interval_steps
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        if self.is_due(batch):
            self.on_interval(batch, logs)

    def on_interval(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        """Looks at the run after a step that is due.

        Args:
          batch: number of the step in its epoch, from 0.
          logs: of the step.
        """

    def is_due(self, batch: int) -> bool:
        """Whether this step of the epoch, from 0, is one to look at."""
        return (self.step(batch) - 1) % self.interval_steps == 0

    @property
    def num_steps(self) -> int:
        """Steps of an epoch."""
        return self.params["steps"]

    def step(self, batch: int) -> int:
        """The number of a step of the epoch in the whole run, from 1."""
        return self.epoch * self.num_steps + batch + 1
