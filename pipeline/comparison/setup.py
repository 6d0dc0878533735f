"""What all runs of a comparison share."""

import dataclasses
import hashlib
import json
from pathlib import Path

from pipeline.comparison.methods import METHODS
from pipeline.comparison.prepared_data import PreparedData
from pipeline.experiment import ExperimentConfig
from trainer.config.json_text import to_json


@dataclasses.dataclass(frozen=True)
class Setup:
    """The data, the protocol and the place of a comparison.

    Args:
      experiment: with the overrides of the comparison.
      data: what they are trained and judged on.
      data_hash: of the raw logs.
      source_hash: of the code that trains and judges.
      folder: of the comparison; checkpoints and logs of the runs lie below it.
      streaming: whether the runs go on day by day, and are judged by each next day.
    """

    experiment: ExperimentConfig
    data: PreparedData
    data_hash: str
    source_hash: str
    folder: Path
    streaming: bool = False

    @property
    def packed_dir(self) -> str:
        """Folder of the requests in the form that all runs read."""
        return str(self.folder / "packed")

    def with_method(self, method: str, seed: int) -> ExperimentConfig:
        """Returns the experiment of one run."""
        return self.experiment.with_overrides({**METHODS[method].overrides, "trainer.seed": str(seed)})

    def key(self, method: str, seed: int) -> str:
        """Returns 16 hexadecimal digits of everything that the figures of one run depend on."""
        parts = [to_json(self.with_method(method, seed)), self.data_hash, self.source_hash, self.streaming]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
