"""Artifacts: the type that TFX does not have, and what is read of its own."""

import os
from collections.abc import Mapping

from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.types.system_artifacts import Model
from tfx.utils import io_utils

from trainer.data.training_files import TrainingFiles
from trainer.tuning.config import Value
from trainer.tuning.tuned_config import parse_hyperparameters


class CandidateRelease(Artifact):
    """The stage models of one training run, not yet judged.

    File structure: `models/<stage>/` and `models/cascade/` (SavedModels), `checkpoint/` (weights and the training
    record) and `manifest.json` (stages in funnel order, capacities).
    """

    TYPE_NAME = "CandidateRelease"
    TYPE_ANNOTATION = Model


JUDGING_SPLITS = ("test", "eval")
"""The splits that may judge a release; the first one that there is does."""


def split_files(artifacts: list[Artifact], split: str) -> list[str]:
    """Returns the files of one split.

    Raises:
      ValueError: there is no such split, or it has no file.
    """
    examples = artifact_utils.get_single_instance(artifacts)
    splits = artifact_utils.decode_split_names(examples.split_names)
    files = fileio.glob(os.path.join(artifact_utils.get_split_uri(artifacts, split), "*")) if split in splits else []
    if not files:
        raise ValueError(f"The examples at {examples.uri} must have the split '{split}'. Received: {splits}")
    return sorted(files)


def judging_files(artifacts: list[Artifact]) -> list[str]:
    """Returns the files of the split that judges a release: `test`, or `eval` where there is no test split."""
    examples = artifact_utils.get_single_instance(artifacts)
    splits = artifact_utils.decode_split_names(examples.split_names)
    return split_files(artifacts, next((split for split in JUDGING_SPLITS if split in splits), JUDGING_SPLITS[0]))


def read_hyperparameters(artifacts: list[Artifact]) -> dict[str, Value]:
    """Reads the one file of the artifact, whoever wrote it: this project's tuner or TFX's.

    Raises:
      ValueError: there is no file or more than one, or it holds no hyper-parameters.
    """
    uri = artifact_utils.get_single_uri(artifacts)
    names = fileio.listdir(uri) if fileio.isdir(uri) else []
    if len(names) != 1:
        raise ValueError(f"The hyper-parameters at {uri} must be one file. Received: {sorted(names)}")
    path = os.path.join(uri, names[0])
    try:
        return parse_hyperparameters(io_utils.read_string_file(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def training_files(inputs: Mapping[str, list[Artifact]]) -> TrainingFiles:
    """Returns what a trainer or a tuner reads, of its inputs.

    Raises:
      ValueError: a split is missing, or has no file.
    """
    return TrainingFiles(
        request_transform_dir=artifact_utils.get_single_uri(inputs["request_transform"]),
        catalogue_transform_dir=artifact_utils.get_single_uri(inputs["catalogue_transform"]),
        train_files=tuple(split_files(inputs["requests"], "train")),
        eval_files=tuple(split_files(inputs["requests"], "eval")),
        catalogue_files=tuple(split_files(inputs["catalogue"], "train")),
    )
