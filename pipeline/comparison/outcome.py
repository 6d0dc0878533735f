"""What came of one training run of a comparison, kept in a file of its own."""

import dataclasses
import json
from pathlib import Path

from trainer.config.json_text import from_json, to_plain
from trainer.whole_file import whole_file


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One method with one seed.

    Args:
      method: name of the method.
      seed: of the training run.
      key: of everything that the figures depend on.
      metrics: of the test requests, by name.
      training_s: seconds of the steps and the passes over the evaluation split.
      run_s: seconds of the whole run: training, export and evaluation.
      num_parameters: trainable parameters of all stages.
      days: by ISO day, the metrics of the model that was trained on the days before it; of a streaming comparison only.
    """

    method: str
    seed: int
    key: str
    metrics: dict[str, float]
    training_s: float
    run_s: float
    num_parameters: int
    days: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Writes `<method>-<seed>.json`, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(outcome_path(folder, self.method, self.seed)) as file:
            file.write((json.dumps(to_plain(self), indent=2) + "\n").encode())


def read_outcome(folder: Path, method: str, seed: int, key: str) -> Outcome | None:
    """Returns the outcome of an earlier run if it had the same key, `None` otherwise or if its file is damaged."""
    try:
        outcome = from_json(Outcome, outcome_path(folder, method, seed).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return outcome if outcome.key == key else None


def outcome_path(folder: Path, method: str, seed: int) -> Path:
    """Returns the file of an outcome."""
    return folder / f"{method}-{seed}.json"
