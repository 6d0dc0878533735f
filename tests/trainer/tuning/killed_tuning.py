"""Tunes in a process that kills itself, as if by `kill -9`, in the second epoch of the second trial.

python killed_tuning.py ARGUMENTS

ARGUMENTS is a JSON file of what `tune` takes, the configurations as JSON texts.
"""

import json
import os
import signal
import sys
from pathlib import Path

from trainer.config.json_text import from_json
from trainer.config.trainer import TrainerConfig
from trainer.data.features import FeatureSpec
from trainer.data.training_files import TrainingFiles
from trainer.tuning.config import TuningConfig
from trainer.tuning.tune import tune


def main(arguments: dict) -> None:
    config = from_json(TrainerConfig, arguments.pop("config"))
    features = from_json(FeatureSpec, arguments.pop("features"))
    files = from_json(TrainingFiles, arguments.pop("files"))
    tuning = from_json(TuningConfig, arguments.pop("tuning"))
    lines: list[str] = []

    def report(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        if line.strip().startswith("epoch 2/2: ") and any(line.startswith("trial 2/") for line in lines):
            os.kill(os.getpid(), signal.SIGKILL)

    tune(config, features, tuning, files, report=report, **arguments)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
