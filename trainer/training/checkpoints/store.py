"""The checkpoints of one training run on disk."""

import errno
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from trainer.training.checkpoints.checkpoint_file import (
    CheckpointError,
    DamagedCheckpointError,
    read_checkpoint,
    write_checkpoint,
)
from trainer.training.checkpoints.run_state import RunState
from trainer.whole_file import left_overs


class CheckpointStore:
    """Keeps the newest checkpoints of a run. One process at a time may use a folder.

    Args:
      folder: of this run and no other; made if it is missing.
      num_kept: checkpoints to keep.
    """

    def __init__(self, folder: Path, num_kept: int) -> None:
        self.folder = folder
        self._num_kept = num_kept
        folder.mkdir(parents=True, exist_ok=True)
        for left_over in left_overs(folder / "*"):
            left_over.unlink()

    def paths(self) -> list[Path]:
        """Returns the checkpoints, oldest first."""
        return sorted(path for path in self.folder.iterdir() if re.fullmatch(r"step-[0-9]{12}\.npz", path.name))

    def save(self, step: int, state: RunState, arrays: Mapping[str, np.ndarray]) -> None:
        """Writes a checkpoint, then removes those that are too many.

        Args:
          step: of the whole run; names the checkpoint.
          state: where the run stands.
          arrays: the variables by name.

        Raises:
          CheckpointError: it cannot be written. The checkpoints before it are intact.
        """
        try:
            write_checkpoint(self.folder / f"step-{step:012d}.npz", state, arrays)
            for old in self.paths()[: -self._num_kept]:
                old.unlink()
        except OSError as error:
            last = [path.name for path in self.paths()[-1:]]
            advice = "Free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Mend that"
            raise CheckpointError(
                f"The checkpoint of step {step:,} cannot be written to {self.folder}: {error.strerror}. "
                f"The last good one is {last[0] if last else 'none'}. {advice} and run again to go on from there"
            ) from error

    def latest(self, report: Callable[[str], None]) -> tuple[RunState, dict[str, np.ndarray]] | None:
        """Reads the newest checkpoint that is whole; damaged ones are set aside, under another name.

        Args:
          report: gets a line about each that is damaged.

        Returns:
          State and arrays, or `None` if there is no checkpoint.

        Raises:
          CheckpointError: one cannot be read now. It may be whole, and stays as it is.
        """
        for path in reversed(self.paths()):
            try:
                return read_checkpoint(path)
            except DamagedCheckpointError as error:
                aside = path.rename(path.with_name(f"{path.name}.damaged"))
                report(f"warning: skipped a damaged checkpoint: {error}. It is now {aside.name}")
            except OSError as error:
                raise CheckpointError(
                    f"The checkpoint {path} cannot be read now: {error.strerror}. It stays as it is. "
                    "Mend that and run again to go on from there"
                ) from error
        return None

    def clear(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder)
