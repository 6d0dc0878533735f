"""Runs the pipeline in a process that goes down on the way, as if by `kill -9`."""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.configs import load
from pipeline.runners.capture import captured_output

Victim = Literal["trainer", "pusher"]


class Death(NamedTuple):
    """How the process ended, and what it had printed by then."""

    exit_code: int | None
    stdout: str
    stderr: str


def killed_run(root: Path, victim: Victim) -> Death:
    """Runs the smoke variant of the demo until it dies.

    Args:
      root: of the run; its logs are in `root / "data"`.
      victim: `"trainer"` dies in the last epoch, when the state after the first is on the disk, `"pusher"` when the
        first of the release's models is in its place.
    """
    context = multiprocessing.get_context("forkserver")  # which imports TFX once, and does nothing with it
    context.set_forkserver_preload(["pipeline.pipeline", "pipeline.runners.local"])
    paths = [root / f"{victim}.{stream}" for stream in ("stdout", "stderr")]
    process = context.Process(target=_run_and_die, args=(root, victim, paths))
    process.start()
    process.join()
    return Death(process.exitcode, *(path.read_text() for path in paths))


def _run_and_die(root: Path, victim: Victim, paths: list[Path]) -> None:
    for descriptor, path in enumerate(paths, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
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
