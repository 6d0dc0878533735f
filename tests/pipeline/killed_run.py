"""Runs the pipeline in a process that goes down on the way, as if by `kill -9`.

python killed_run.py ROOT trainer    in the last epoch, when the state after the first is on the disk
python killed_run.py ROOT pusher     when the first of the release's models is in its place
"""

import os
import signal
import sys
from pathlib import Path

from pipeline.configs import load
from pipeline.runners.capture import captured_output


def main(root: Path, victim: str) -> None:
    with captured_output(root / "imports.log"):
        from pipeline.pipeline import create_pipeline
        from pipeline.runners.local import run_local

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def report(line: str) -> None:
        print(line, flush=True)
        if victim == "trainer" and "epoch 2/2: " in line:
            die()

    rename, num_models = os.rename, 0

    def rename_and_die(source: str, target: Path) -> None:
        nonlocal num_models
        rename(source, target)
        if victim == "pusher" and Path(target).parent.parent == root / "serving":
            num_models += 1
            if num_models == 1:
                die()

    os.rename = rename_and_die
    experiment = load("demo", smoke=True)
    pipeline = create_pipeline(experiment, data_dir=root / "data", root=root, serving_base=root / "serving")
    run_local(pipeline, log_dir=root / "logs", report=report)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
