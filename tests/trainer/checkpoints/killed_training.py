"""Trains in processes that are killed by `kill -9`, one after the other, until one comes through.

python killed_training.py ARGUMENTS NUM_KILLS SEED

ARGUMENTS is a JSON file of what `train` takes, `config` and `features` as JSON texts, and `num_steps`, of the whole
run. Children are forked, so that TensorFlow is imported once. They die at random steps, every other one while it writes
a checkpoint. Prints a JSON object: the newest checkpoint at each death, and how many deaths left a half-written one.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from trainer.config import TrainerConfig
from trainer.config_json import from_json
from trainer.features import FeatureSpec
from trainer.training import train


def main(arguments: dict, num_kills: int, seed: int) -> None:
    source = random.Random(seed)
    config = from_json(TrainerConfig, arguments.pop("config"))
    features = from_json(FeatureSpec, arguments.pop("features"))
    folder = Path(arguments["checkpoint_dir"])
    num_steps = arguments.pop("num_steps")
    killed_at, num_half_written = [], 0
    for target in sorted(source.sample(range(num_steps - 1), num_kills)):
        child = os.fork()
        if child == 0:
            train(config, features, report=lambda line: print(line, file=sys.stderr, flush=True), **arguments)
            os._exit(0)
        if newest_step(folder) >= target:
            time.sleep(source.uniform(0, 3))  # while it reads its checkpoint and builds its graph
        while newest_step(folder) < target:
            time.sleep(0.001)
        if len(killed_at) % 2:
            time.sleep(source.uniform(0, 0.05))
        else:
            while not list(folder.glob("*/.step-*.tmp")):
                pass
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, f"it was over before step {target}"
        killed_at.append(newest_step(folder))
        num_half_written += len(list(folder.glob("*/.step-*.tmp")))
    train(config, features, **arguments)
    print(json.dumps({"killed_at": killed_at, "num_half_written": num_half_written}))


def newest_step(folder: Path) -> int:
    return max((int(path.stem.partition("-")[2]) for path in folder.glob("*/step-*.npz")), default=-1)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2]), int(sys.argv[3]))
