"""How fast a training run is and what it waits for."""

import time
from collections.abc import Callable

import tensorflow as tf

from trainer.monitoring.tensorboard import IntervalCallback, SummaryWriters
from trainer.reporting import WAITING_S


class Speed(IntervalCallback):
    """Writes `speed/step_s`, seconds per step, and `speed/waiting_share`, the share in which steps waited for batches.

    Both are means since the last point. The clock starts after an epoch's first step, so that compiling and validation
    do not count, and the last step of an epoch ends an interval too.

    Args:
      writers: of the run.
      interval_steps: steps between two points.
      clock: seconds, monotonic.
    """

    def __init__(
        self,
        writers: SummaryWriters,
        interval_steps: int = 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(interval_steps)
        self._writers = writers
        self._clock = clock
        self._start: tuple[int, float, float] | None = None  # step, time and waiting time so far

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_begin(epoch)
        self._start = None

    def is_due(self, batch: int) -> bool:
        return self._start is None or super().is_due(batch) or batch + 1 == self.num_steps

    def on_interval(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        float(logs["total_loss"])  # waits for a GPU, which the host runs ahead of
        now = (batch, self._clock(), float(logs[WAITING_S]))
        if self._start is not None:
            steps, seconds, waiting_s = (after - before for after, before in zip(now, self._start, strict=True))
            with self._writers.train.as_default(self.step(batch)):
                tf.summary.scalar("speed/step_s", seconds / steps)
                tf.summary.scalar("speed/waiting_share", waiting_s / seconds)
        self._start = now
