"""What came of one trial, on disk as soon as it is over."""

import dataclasses
from pathlib import Path

from trainer.config.json_text import from_json, to_json
from trainer.tuning.config import Value
from trainer.whole_file import whole_file


@dataclasses.dataclass(frozen=True)
class TrialRecord:
    """One training run of a search.

    Args:
      values: that it was trained with, by key.
      objective: best end-to-end recall on the evaluation days; `None` if the trial failed.
      best_epoch: that had it, from 1.
      duration_s: seconds that it took; of one that was interrupted, since then.
      failure: why it failed.
    """

    values: dict[str, Value]
    objective: float | None = None
    best_epoch: int | None = None
    duration_s: float = 0.0
    failure: str | None = None

    def write(self, path: Path) -> None:
        """Writes the record; the file appears whole or not at all."""
        with whole_file(path) as file:
            file.write(to_json(self).encode())

    @classmethod
    def read(cls, path: Path) -> "TrialRecord | None":
        """Reads a record; `None` if there is none, or none that can be read."""
        try:
            return from_json(cls, path.read_text())
        except (OSError, ValueError):
            return None
