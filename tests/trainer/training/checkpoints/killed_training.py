"""Trains in processes that are killed by `kill -9`, one after the other, until one comes through.

python killed_training.py ARGUMENTS OUTCOME NUM_KILLS SEED

ARGUMENTS is a JSON file of what `train` takes, `config` and `features` as JSON texts, and `num_steps`, of the whole
run. Children are forked, so that TensorFlow is imported once. Each kills itself, whatever the machine's speed: while it
writes the checkpoint of a random step, at some moment after it wrote that, or when it goes on from the one before it.
OUTCOME gets a JSON object: the newest checkpoint at each death, and how many deaths left a half-written one.
"""

import json
import os
import random
import re
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from trainer.config.json_text import from_json
from trainer.config.trainer import TrainerConfig
from trainer.data.features import FeatureSpec
from trainer.data.training_files import TrainingFiles
from trainer.training.run import train

Report = Callable[[str], None]


def main(arguments: dict, num_kills: int, seed: int) -> dict:
    source = random.Random(seed)
    config = from_json(TrainerConfig, arguments.pop("config"))
    features = from_json(FeatureSpec, arguments.pop("features"))
    files = from_json(TrainingFiles, arguments.pop("files"))
    folder = Path(arguments["checkpoint_dir"])
    num_steps = arguments.pop("num_steps")
    killed_at, num_half_written = [], 0
    for number, target in enumerate(sorted(source.sample(range(num_steps - 1), num_kills))):
        is_at_the_end = newest_step(folder) >= num_steps - 1
        way = when_it_goes_on if is_at_the_end else DEATHS[number % len(DEATHS)]
        child = os.fork()
        if child == 0:
            report = way(max(target, newest_step(folder) + 1), source)
            train(config, features, files, report=report, **arguments)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, f"it was over before step {target}"
        killed_at.append(newest_step(folder))
        num_half_written += len(list(folder.glob("*/.step-*.tmp")))
    train(config, features, files, **arguments)
    return {"killed_at": killed_at, "num_half_written": num_half_written}


def while_it_writes(target: int, source: random.Random) -> Report:
    """Dies when half of the checkpoint of step `target` is in the file."""
    fsync = os.fsync

    def half_and_die(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.name.startswith(".step-") and step_of(path) >= target:
            os.truncate(path, os.path.getsize(path) * source.randrange(100) // 100)
            die()
        fsync(descriptor)

    os.fsync = half_and_die
    return say


def after_it_wrote(target: int, source: random.Random) -> Report:
    """Dies at some moment of the steps that follow the checkpoint of step `target`."""
    replace, delay_s = os.replace, source.uniform(0, 0.05)

    def replace_and_die(source_path: str, path: Path) -> None:
        replace(source_path, path)
        if Path(path).name.startswith("step-") and step_of(Path(path)) >= target:
            threading.Timer(delay_s, die).start()

    os.replace = replace_and_die
    return say


def when_it_goes_on(target: int, source: random.Random) -> Report:
    """Dies once it has read the checkpoint of the one before it."""

    def say_and_die(line: str) -> None:
        say(line)
        if line.startswith("goes on at "):
            die()

    return say_and_die


DEATHS = (while_it_writes, after_it_wrote, when_it_goes_on)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def step_of(path: Path) -> int:
    return int(re.search(r"step-(\d+)", path.name)[1])


def newest_step(folder: Path) -> int:
    return max((int(path.stem.partition("-")[2]) for path in folder.glob("*/step-*.npz")), default=-1)


if __name__ == "__main__":
    outcome = main(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[3]), int(sys.argv[4]))
    Path(sys.argv[2]).write_text(json.dumps(outcome))
