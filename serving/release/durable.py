"""File operations that a power cut after them does not undo."""

import os
from pathlib import Path


def rename(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Renames a file or folder; what was renamed before stays renamed if this one does."""
    os.rename(source, target)
    sync_file(os.path.dirname(target) or ".")


def write_text(path: Path, text: str) -> None:
    """Writes a file that is on disk when this returns."""
    path.write_text(text, encoding="utf-8")
    sync_file(path)


def sync_tree(folder: Path) -> None:
    """Waits until every file below a folder is on disk."""
    for path in [folder, *folder.rglob("*")]:
        sync_file(path)


def sync_file(path: str | os.PathLike[str]) -> None:
    """Waits until a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
