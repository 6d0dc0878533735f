"""The curves of a run that was killed, for the process that goes on with it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from trainer.monitoring.tensorboard import TRAIN, VALIDATION
from trainer.reporting import Report


class KeptLogs(tf.keras.callbacks.Callback):
    """Links event files into a folder that outlives the log folder, and continues them.

    A pipeline gives each execution a new log folder and removes that of a killed one. The links take no space and see
    what is written later. A process that goes on from a checkpoint first copies the kept curves to its own log folder,
    up to that step, since the steps after it are made again.

    Args:
      log_dir: folder of the logs, after the event files were opened.
      kept_dir: local folder on the same file system, removed when the run is over.
      report: gets a line if files cannot be linked.
    """

    def __init__(self, log_dir: str, kept_dir: Path, report: Report) -> None:
        super().__init__()
        self._log_dir = Path(log_dir)
        self._kept_dir = kept_dir
        self._report = report

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        step = int(self.model.optimizer.iterations.numpy())
        if step == 0:
            shutil.rmtree(self._kept_dir, ignore_errors=True)
        for kept in _event_files(self._kept_dir):
            _copy_until(kept, self._log_dir / kept.relative_to(self._kept_dir), step)
        try:
            for written in _event_files(self._log_dir):
                _link(written, self._kept_dir / written.relative_to(self._log_dir))
        except OSError as error:
            self._report(f"warning: the curves of this run end if it is killed: {error}")


def _event_files(folder: Path) -> list[Path]:
    return [path for split in (TRAIN, VALIDATION) for path in sorted((folder / split).glob("*tfevents*"))]


def _copy_until(source: Path, target: Path, step: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(".copy.tmp")
    with tf.io.TFRecordWriter(str(temporary)) as writer:
        for record in _records(source):
            if tf.compat.v1.Event.FromString(record).step <= step:
                writer.write(record)
    os.replace(temporary, target)


def _records(path: Path) -> Iterator[bytes]:
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    while True:
        try:
            yield next(records)
        except (StopIteration, tf.errors.DataLossError):  # the record that the kill cut
            return


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(".link.tmp")
    temporary.unlink(missing_ok=True)
    os.link(source, temporary)
    os.replace(temporary, target)
