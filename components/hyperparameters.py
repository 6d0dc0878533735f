"""The values in a HyperParameters artifact."""

import os

from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from trainer.tuning.config import Value
from trainer.tuning.tuned_config import parse_hyperparameters


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
