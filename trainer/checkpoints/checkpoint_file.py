"""One checkpoint: a file that appears whole or not at all, and is refused if a byte of it has changed."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trainer.checkpoints.run_state import RunState
from trainer.config_json import from_json, to_json
from trainer.whole_file import whole_file

_STATE = "state"


class CheckpointError(RuntimeError):
    """A checkpoint cannot be written."""


class DamagedCheckpointError(ValueError):
    """A checkpoint cannot be read, or is not what was written."""


def write_checkpoint(path: Path, state: RunState, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a checkpoint to the disk, and there it is when this returns.

    Args:
      path: of the file; its folder exists.
      state: where the run stands.
      arrays: of numbers or bools, by name.

    Raises:
      OSError: the disk is full, or the folder cannot be written to. What was at `path` before is still there.
    """
    text = np.frombuffer(to_json(state).encode(), np.uint8)
    with whole_file(path) as file:
        np.savez(file, **{_STATE: text}, **arrays)  # a zip file: it holds a CRC of each array


def read_checkpoint(path: Path) -> tuple[RunState, dict[str, np.ndarray]]:
    """Reads what `write_checkpoint` wrote.

    Raises:
      DamagedCheckpointError: it is not there, cut short, or changed.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        state = from_json(RunState, arrays.pop(_STATE).tobytes().decode())
    except (OSError, EOFError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedCheckpointError(f"{path} cannot be read: {error}") from error
    return state, arrays
