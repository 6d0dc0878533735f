"""All that TensorBoard shows of a training run."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import tensorflow as tf

from trainer.monitoring.hparams import write_end, write_start
from trainer.monitoring.kept_logs import KeptLogs
from trainer.monitoring.layout import write_layout
from trainer.monitoring.profiler import Profiler
from trainer.monitoring.scalars import Scalars
from trainer.monitoring.speed import Speed
from trainer.monitoring.survivals import Survivals
from trainer.monitoring.tensorboard import SummaryWriters
from trainer.release.training_record import EpochRecord
from trainer.reporting import Report


class Monitoring(tf.keras.callbacks.Callback):
    """The views of a run, as a context: its callbacks write while the run goes on, its end says what came of it.

    Args:
      log_dir: folder of the logs.
      kept_dir: local folder that outlives the process, so that curves go on after a kill; `None` keeps none.
      report: gets lines about the profile and the like.
      profile: whether to trace some steps.
    """

    def __init__(self, log_dir: str, *, kept_dir: Path | None, report: Report, profile: bool = False) -> None:
        super().__init__()
        self._writers = SummaryWriters(log_dir)
        self._kept: EpochRecord | None = None
        self.callbacks: Sequence[tf.keras.callbacks.Callback] = (
            self,
            *([KeptLogs(log_dir, kept_dir, report)] if kept_dir is not None else []),
            Scalars(self._writers),
            Speed(self._writers),
            Survivals(self._writers),
            *([Profiler(log_dir, report)] if profile else []),
        )

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        write_layout(self._writers.run, self.model)
        write_start(self._writers.run, self.model)
        self._writers.flush()

    def finish(self, kept: EpochRecord) -> None:
        """Notes the epoch whose weights were kept: the run has succeeded."""
        self._kept = kept

    def __enter__(self) -> "Monitoring":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        write_end(self._writers.run, self._kept)
        self._writers.close()
