"""Lines that tell how a training run is going."""

import time

import numpy as np
import tabulate
import tensorflow as tf

from trainer.config.trainer import TrainerConfig
from trainer.model.cascade_model import CascadeModel
from trainer.reporting import VALIDATION, WAITING_SHARE, Report


class Progress(tf.keras.callbacks.Callback):
    """Reports speed and the remaining time while an epoch runs, and the metrics after it.

    Args:
      report: gets one line at a time.
      num_requests: requests of an epoch.
      config: the training run.
      interval_s: least time between two lines within an epoch.
    """

    def __init__(self, report: Report, num_requests: int, config: TrainerConfig, interval_s: float = 10.0) -> None:
        super().__init__()
        self._report = report
        self._num_requests = num_requests
        self._config = config
        self._interval_s = interval_s

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch = epoch + 1
        self._start_s = time.monotonic()
        self._first_batch: int | None = None

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        now_s = time.monotonic()
        if self._first_batch is None:
            # The first step traces the graph, which says nothing about the speed of the others.
            self._first_batch, self._first_step_s, self._last_s = batch, now_s, now_s
            return
        if now_s - self._last_s < self._interval_s:
            return
        self._last_s = now_s
        steps_per_s = (batch - self._first_batch) / (now_s - self._first_step_s)
        num_steps = -(-self._num_requests // self._config.batch_size)
        steps_left = num_steps * (self._config.epochs - self._epoch + 1) - (batch + 1)
        self._report(
            f"epoch {self._epoch}/{self._config.epochs} step {batch + 1}/{num_steps}: "
            f"loss {float(logs['total_loss']):.4f}, "
            f"{steps_per_s:.1f} step/s, {steps_per_s * self._config.batch_size:,.0f} requests/s, "
            f"ETA {steps_left / steps_per_s:.0f} s"
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        duration_s = time.monotonic() - self._start_s
        recalls = ", ".join(
            f"{name.removeprefix(VALIDATION)} {value:.4f}"
            for name, value in logs.items()
            if name.startswith(VALIDATION) and name.endswith("_recall")
        )
        self._report(
            f"epoch {self._epoch}/{self._config.epochs}: loss {logs['total_loss']:.4f}, "
            f"validation {recalls}, {duration_s:.1f} s, {logs[WAITING_SHARE]:.1%} of the steps' time waiting for data"
        )


def parameter_table(model: CascadeModel) -> str:
    """Lists the stages of a built model with the parameters of each."""
    sizes = [sum(int(np.prod(weight.shape)) for weight in stage.trainable_weights) for stage in model.stages]
    rows = [[c.name, c.tower.kind, c.capacity, size] for c, size in zip(model.config.stages, sizes, strict=True)]
    rows.append(["total", "", None, sum(sizes)])
    return tabulate.tabulate(rows, ["stage", "tower", "capacity", "parameters"], intfmt=",")
