"""The hidden folder in which a simulation is written before it appears."""

import contextlib
import fcntl
import glob
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_LOCK = "lock"


@contextlib.contextmanager
def work_folder(out_dir: Path) -> Iterator[Path]:
    """Makes a folder beside `out_dir` that is this run's alone, and removes it in the end.

    What killed runs left beside `out_dir` is cleared away: their locks ended with their processes.

    Args:
      out_dir: what will be written; its parents are made.

    Raises:
      OSError: the folder cannot be made.
    """
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out_dir.name}.partial-"
    for lock in out_dir.parent.glob(f"{glob.escape(prefix)}*/{_LOCK}"):
        _remove_if_stale(lock)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=out_dir.parent))
    try:
        with open(folder / "unlocked", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            (folder / "unlocked").rename(folder / _LOCK)  # so that nobody ever meets it unlocked
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_if_stale(lock: Path) -> None:
    with contextlib.suppress(BlockingIOError, FileNotFoundError), open(lock, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(lock.parent, ignore_errors=True)
