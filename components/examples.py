"""The files of an Examples artifact."""

import os

from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils

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
