"""A file that appears whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a file to write; it is on the disk, under its name, when the block is over.

    Args:
      path: of the file; its folder exists.

    Raises:
      OSError: the disk is full, or the folder cannot be written to. What was at `path` before is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # without it a power cut can undo the renaming
    finally:
        os.close(folder)


def left_overs(path: Path) -> Iterator[Path]:
    """Yields what processes left behind that died while they wrote a file.

    Args:
      path: of the file; its name may be a pattern such as `"*"`.
    """
    yield from path.parent.glob(f".{path.name}.*.tmp")
