"""Stops a training run that has diverged."""

import math

import tensorflow as tf


class DivergedError(RuntimeError):
    """A loss is infinite or not a number."""


class FiniteLoss(tf.keras.callbacks.Callback):
    """Raises `DivergedError`, naming the loss and the step, as soon as a loss is not finite."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            if name.endswith("_loss") and not math.isfinite(value):
                step = int(self.model.optimizer.iterations)
                rate = float(self.model.optimizer.learning_rate)
                raise DivergedError(
                    f"Training diverged: `{name}` is {value} at step {step}. "
                    f"Lower `learning_rate` (now {rate:g}) or look for extreme values in the features"
                )
