"""Where the checkpoints of one training run are."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.index import IndexConfig
from trainer.config.json_text import to_json
from trainer.config.trainer import TrainerConfig
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.data.fingerprint import Fingerprint, input_parts
from trainer.training.checkpoints.store import CheckpointStore


def open_store(
    base: str,
    config: TrainerConfig,
    features: FeatureSpec,
    *,
    encoded_features: Sequence[EncodedFeature],
    files: Mapping[str, Sequence[str]],
    source_hash: str,
    report: Callable[[str], None],
) -> CheckpointStore:
    """Opens the folder of a run's checkpoints, which no other run uses.

    Args:
      base: folder of the checkpoints of all runs.
      config: the training run; how often it saves its state, and how the models that it exports search the catalogue,
        do not make it another one.
      features: the declared features.
      encoded_features: what Transform made of them.
      files: input files by what they are; their content counts and not their names.
      source_hash: of the code that runs.
      report: gets a line where there are checkpoints, but of other runs.
    """
    fingerprint = Fingerprint(
        {
            "config": to_json(dataclasses.replace(config, checkpoints=CheckpointConfig(), index=IndexConfig())),
            **input_parts(features, encoded_features, files, source_hash),
        }
    )

    def report_change(names: Sequence[str]) -> None:
        report(f"starts anew: the last checkpoints in {base} are of another run, other in {', '.join(names)}")

    return CheckpointStore(fingerprint.folder(Path(base), report_change), config.checkpoints.num_kept)
