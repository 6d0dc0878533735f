"""One run at a time over one metadata store."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.runners.errors import RunInProgressError


@contextlib.contextmanager
def run_lock(database: Path) -> Iterator[None]:
    """Holds the lock of a metadata store; the lock of a process that dies is gone.

    Raises:
      RunInProgressError: another process holds it.
    """
    database.parent.mkdir(parents=True, exist_ok=True)
    with open(database.with_name(database.name + ".lock"), "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise RunInProgressError(f"{database.parent}: another run is in progress ({file.read().strip()})") from None
        file.truncate(0)
        file.write(f"process {os.getpid()}")
        file.flush()
        yield
