"""One file of the request log, which appears whole."""

import contextlib
import fcntl
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from serving.release.durable import rename, sync_file

SUFFIX = ".tfrecord.gz"
_PARTIAL_SUFFIX = ".partial"
_ABANDONED_AFTER_S = 86_400.0


class LogFile:
    """A gzipped TFRecord file under a temporary name until it is published; it is locked that long.

    Args:
      folder: of the day; made if it is not there.

    Raises:
      OSError: the disk, or the system, does not give a file.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        # Unique among processes and machines that share a folder.
        name = f"{time.time_ns() // 1_000_000}-{uuid.uuid4().hex[:12]}{SUFFIX}"
        self._path = folder / name
        self._partial = folder / f".{name}{_PARTIAL_SUFFIX}"
        self._lock = open(self._partial, "wb")  # noqa: SIM115
        with contextlib.suppress(OSError):  # where the file system has no locks
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            with _os_errors():
                self._writer = tf.io.TFRecordWriter(str(self._partial), "GZIP")
        except OSError:
            self.discard()
            raise
        self.opened_s = time.monotonic()
        self.num_records = 0
        self.num_bytes = 0

    def write(self, example: bytes) -> None:
        """Adds a record.

        Raises:
          OSError: the disk did not take it.
        """
        with _os_errors():
            self._writer.write(example)
        self.num_records += 1
        self.num_bytes += len(example)

    def publish(self) -> int:
        """Gives the file its name, once all of it is on disk; returns its size.

        Raises:
          OSError: the disk did not take it.
        """
        with _os_errors():
            self._writer.close()
        sync_file(self._partial)
        size = self._partial.stat().st_size  # someone may take the file as soon as it has its name
        rename(self._partial, self._path)
        self._lock.close()
        return size

    def discard(self) -> None:
        """Removes the file; where the disk refuses that, it stays for `remove_abandoned`."""
        with contextlib.suppress(OSError):
            self._partial.unlink()
        with contextlib.suppress(OSError):
            self._lock.close()


@contextlib.contextmanager
def _os_errors() -> Iterator[None]:
    """Makes an `OSError` of what TensorFlow raises for one."""
    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def remove_abandoned(folder: Path) -> None:
    """Removes what killed processes left of their files in the folders of the days.

    That is what nobody has locked, since the lock went with the process, and nobody has written to for a day: a mount
    may keep the locks of another machine to itself.

    Args:
      folder: of the log.

    Raises:
      OSError: a file cannot be removed.
    """
    for path in folder.glob(f"*/.*{SUFFIX}{_PARTIAL_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # another process was there first
            if time.time() - path.stat().st_mtime >= _ABANDONED_AFTER_S:
                _remove_unlocked(path)


def _remove_unlocked(path: Path) -> None:
    with open(path, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        path.unlink()
