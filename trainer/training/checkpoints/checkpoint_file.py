"""One checkpoint: a file that appears whole or not at all, and is refused if a byte of it has changed."""

import errno
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trainer.config.json_text import from_json, to_json
from trainer.training.checkpoints.run_state import RunState
from trainer.whole_file import whole_file

_STATE, _NAMES = "state", "names"


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written, or not be read now."""


class DamagedCheckpointError(ValueError):
    """A checkpoint is not what was written."""


def write_checkpoint(path: Path, state: RunState, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a checkpoint to the disk, and there it is when this returns.

    Args:
      path: of the file; its folder exists.
      state: where the run stands.
      arrays: of numbers or bools, by name.

    Raises:
      OSError: the disk is full, or the folder cannot be written to. What was at `path` before is still there.
    """
    # A zip file holds a CRC of each array; that none is missing, it does not tell.
    texts = {_STATE: to_json(state), _NAMES: json.dumps(list(arrays))}
    with whole_file(path) as file:
        np.savez(file, **{name: np.frombuffer(text.encode(), np.uint8) for name, text in texts.items()}, **arrays)


def read_checkpoint(path: Path) -> tuple[RunState, dict[str, np.ndarray]]:
    """Reads what `write_checkpoint` wrote.

    Raises:
      DamagedCheckpointError: it is cut short, or changed.
      OSError: it is not there, or the disk or the system does not let it be read now.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        state, names = (arrays.pop(name).tobytes().decode() for name in (_STATE, _NAMES))
        if list(arrays) != json.loads(names):
            raise ValueError(f"it must hold the arrays {names}. Received: {list(arrays)}")
        return from_json(RunState, state), arrays
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        failed_read = _failed_read(error)
        if failed_read is not None:
            raise failed_read from None
        raise DamagedCheckpointError(f"{path} cannot be read: {error}") from error


def _failed_read(error: Exception) -> OSError | None:
    """Returns the error of reading behind one, if there is any; that of a damaged offset is none."""
    for each in (error, error.__context__):  # `zipfile` takes one for damage
        if isinstance(each, OSError) and each.errno not in (None, errno.EINVAL):
            return each
    return None
