"""What a release asks of the file system under it: of a folder, or of a path with a scheme, such as a bucket.

|                 | folder                              | path with a scheme                                         |
|-----------------|-------------------------------------|------------------------------------------------------------|
| a model appears | by one rename                       | file by file, what makes it a SavedModel last              |
| and goes        | by one rename                       | file by file, what makes it a SavedModel first             |
| a single file   | appears whole, by a rename          | the same; in a bucket every object appears whole           |
| a power cut     | undoes nothing: all is synced       | undoes nothing that the store has taken                    |
| publishers      | wait for one another, by a lock     | are not kept apart: there must be one at a time            |
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from serving.release import durable
from serving.release.gfile_path import GfilePath

AnyPath: TypeAlias = Path | GfilePath

SAVED_MODEL = "saved_model.pb"
"""A server does not load a version folder without it. One that lacks its variables TF Serving may load all the same."""

_BLOCK_BYTES = 1 << 22


def any_path(path: str | os.PathLike[str]) -> AnyPath:
    """Returns a path; `tf.io.gfile` is asked for one with a scheme."""
    name = os.fspath(path)
    return GfilePath(name.rstrip("/")) if "://" in name else Path(name)


def children(folder: AnyPath) -> list[AnyPath]:
    """Returns what lies in a folder; nothing if there is no such folder, as long as it is empty in a bucket."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def files_below(folder: AnyPath) -> list[str]:
    """Returns the names that files have inside a folder and its folders, sorted; none if there is no folder."""
    names = []
    for path in children(folder):
        below = [f"{path.name}/{name}" for name in files_below(path)]
        names += below or ([path.name] if path.is_file() else [])
    return sorted(names)


def copy_tree(source: AnyPath, target: AnyPath) -> None:
    """Copies a folder to where there is none yet."""
    if isinstance(source, Path) and isinstance(target, Path):
        shutil.copytree(source, target)  # empty folders too, which buckets have none of
        durable.sync_tree(target)
        durable.sync_file(target.parent)
        return
    for name in files_below(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        with (source / name).open("rb") as reader, (target / name).open("wb") as writer:
            shutil.copyfileobj(reader, writer, _BLOCK_BYTES)


def remove_tree(folder: AnyPath) -> None:
    """Removes a folder with all that it holds."""
    if isinstance(folder, Path):
        shutil.rmtree(folder)
    else:
        folder.rmtree()


def write_text(path: AnyPath, text: str) -> None:
    """Writes a file under a name that nobody reads."""
    if isinstance(path, Path):
        durable.write_text(path, text)
    else:
        path.write_text(text)


def rename_file(source: AnyPath, target: AnyPath) -> None:
    """Gives a file the name under which it is read; what was there before is replaced."""
    if isinstance(source, GfilePath) and isinstance(target, GfilePath):
        source.rename(target)
    else:
        durable.rename(source, target)


def move_in(source: AnyPath, target: AnyPath) -> None:
    """Gives a model the folder that servers look for.

    In a bucket the folder is there with its first object. That is the largest, as it takes longest and nobody sees it
    before it is there; `saved_model.pb` is the last, and makes it a model.
    """
    if isinstance(source, Path):
        durable.rename(source, target)
        return
    sizes = {name: (source / name).stat().st_size for name in files_below(source)}
    for name in sorted(sizes, key=lambda name: (name == SAVED_MODEL, -sizes[name])):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        rename_file(source / name, target / name)


def move_out(folder: AnyPath, to: AnyPath) -> None:
    """Takes a model away from where servers look: a folder goes to another place, objects are removed."""
    if isinstance(folder, Path):
        durable.rename(folder, to)
        return
    (folder / SAVED_MODEL).unlink(missing_ok=True)
    folder.rmtree()


@contextlib.contextmanager
def lock(base: AnyPath) -> Iterator[None]:
    """Waits until nobody else changes the releases of a folder, and keeps others waiting."""
    if isinstance(base, GfilePath):
        yield
        return
    with open(base / ".lock", "w") as file:  # the lock goes with the process, however it ends
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
