"""Stops a training run that has diverged."""

import math

import tensorflow as tf


class DivergedError(RuntimeError):
    """A loss or its gradient is infinite or not a number.

    Args:
      message: what was not finite and what to do.
      step: of the whole run, from 0.
    """

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class FiniteLoss(tf.keras.callbacks.Callback):
    """Raises `DivergedError`, naming the loss and the step, soon after a loss or its gradient is not finite.

    The model itself notes the first such step (`CascadeModel.bad_step`), so a device need not be asked at every step.

    Args:
      interval_steps: steps between two looks.
    """

    def __init__(self, interval_steps: int = 20) -> None:
        super().__init__()
        self._interval_steps = interval_steps

    def on_train_batch_end(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        if (batch + 1) % self._interval_steps == 0:
            self.check()

    def check(self) -> None:
        """Looks now.

        Raises:
          DivergedError: some step so far was not finite.
        """
        step = int(self.model.bad_step.numpy())  # a replica's variable is no number by itself
        if step < 0:
            return
        values = {metric.name: float(metric.result()) for metric in self.model.metrics if metric.name.endswith("_loss")}
        names = [f"`{name}` is {value}" for name, value in values.items() if not math.isfinite(value)]
        rate = float(self.model.optimizer.learning_rate.numpy())
        raise DivergedError(
            f"Training diverged: {names[0] if names else 'the gradient is not finite'} at step {step + 1:,}. "
            f"Lower `learning_rate` (now {rate:g}) or look for extreme values in the features",
            step,
        )
