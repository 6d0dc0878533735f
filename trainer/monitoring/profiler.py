"""A trace of some steps for TensorBoard's profiler."""

import contextlib

import tensorflow as tf

from trainer.reporting import Report


class Profiler(tf.keras.callbacks.Callback):
    """Traces some steps of a run after its first ones, which compile and fill caches.

    A step is traced from the end of the one before it, so waiting for its batch is in the trace.

    Args:
      log_dir: folder of the logs; the trace goes to `<log_dir>/plugins/profile`.
      report: gets a line about what was traced.
      num_warm_up_steps: steps of this process before the trace.
      num_steps: steps to trace.
    """

    def __init__(self, log_dir: str, report: Report, num_warm_up_steps: int = 10, num_steps: int = 5) -> None:
        super().__init__()
        self._log_dir = log_dir
        self._report = report
        self._first = num_warm_up_steps
        self._last = num_warm_up_steps + num_steps
        self._num_seen = 0
        self._is_tracing = False
        self._step = contextlib.ExitStack()

    def on_train_batch_end(self, batch: int, logs: dict[str, tf.Tensor]) -> None:
        self._num_seen += 1
        if not self._first <= self._num_seen <= self._last:
            return
        float(logs["total_loss"])  # waits for a GPU, which the host runs ahead of
        self._step.close()
        if self._num_seen == self._first:
            tf.profiler.experimental.start(self._log_dir)
            self._is_tracing = True
        if self._num_seen < self._last:
            trace = tf.profiler.experimental.Trace("train", step_num=self._num_seen, _r=1)
            self._step.enter_context(trace)
        else:
            self._stop()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self._is_tracing:
            self._step.close()
            self._stop()
        elif self._num_seen < self._first:
            self._report(
                f"no profile: it starts after {self._first} steps, and the run made {self._num_seen} in this process"
            )

    def _stop(self) -> None:
        tf.profiler.experimental.stop()
        self._is_tracing = False
        self._report(f"profiled {self._num_seen - self._first} steps: tensorboard --logdir {self._log_dir}")
