"""Trains as one of several workers, in a process of its own: `worker.py ARGUMENTS.json RECORD.json`.

The first call is cut off at the end of the first epoch, before the evaluation. The second goes on from the chief's
checkpoint.
"""

import contextlib
import json
import sys
from pathlib import Path
from unittest import mock

from trainer.config.json_text import from_json, to_json
from trainer.config.trainer import TrainerConfig
from trainer.data.features import FeatureSpec
from trainer.data.training_files import TrainingFiles
from trainer.training.replicas.steps import Steps
from trainer.training.run import train


class Killed(BaseException):
    """The process is gone."""


def main(arguments_path, record_path):
    arguments = json.loads(Path(arguments_path).read_text())
    config = from_json(TrainerConfig, arguments.pop("config"))
    features = from_json(FeatureSpec, arguments.pop("features"))
    files = from_json(TrainingFiles, arguments.pop("files"))
    lines = []

    with mock.patch.object(Steps, "evaluate", side_effect=Killed), contextlib.suppress(Killed):
        train(config, features, files, **arguments)
    record = train(config, features, files, report=lines.append, **arguments)
    Path(record_path).write_text(json.dumps({"record": to_json(record), "lines": lines}))


if __name__ == "__main__":
    main(*sys.argv[1:])
