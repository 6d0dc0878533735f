"""Keeps those who change a folder of releases apart."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def lock(base: Path) -> Iterator[None]:
    """Waits until nobody else changes the releases under `base`, and keeps others waiting."""
    with open(base / ".lock", "w") as file:  # the lock goes with the process, however it ends
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
