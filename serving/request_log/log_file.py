"""One file of the request log, which appears whole."""

import time
import uuid
from pathlib import Path

import tensorflow as tf

from serving.release.durable import rename, sync_file

SUFFIX = ".tfrecord.gz"
_PARTIAL_SUFFIX = ".partial"


class LogFile:
    """A gzipped TFRecord file under a temporary name until it is published.

    Args:
      folder: of the day; made if it is not there.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        # Unique among processes and machines that share a folder.
        name = f"{time.time_ns() // 1_000_000}-{uuid.uuid4().hex[:12]}{SUFFIX}"
        self._path = folder / name
        self._partial = folder / f".{name}{_PARTIAL_SUFFIX}"
        self._writer = tf.io.TFRecordWriter(str(self._partial), "GZIP")
        self.opened_s = time.monotonic()
        self.num_records = 0
        self.num_bytes = 0

    def write(self, example: bytes) -> None:
        """Adds a record.

        Raises:
          OSError: the disk did not take it.
        """
        try:
            self._writer.write(example)
        except tf.errors.OpError as error:
            raise OSError(error.message) from error
        self.num_records += 1
        self.num_bytes += len(example)

    def publish(self) -> int:
        """Gives the file its name, once all of it is on disk; returns its size.

        Raises:
          OSError: the disk did not take it.
        """
        try:
            self._writer.close()
        except tf.errors.OpError as error:
            raise OSError(error.message) from error
        sync_file(self._partial)
        rename(self._partial, self._path)
        return self._path.stat().st_size

    def discard(self) -> None:
        """Removes the file."""
        self._partial.unlink(missing_ok=True)
