"""Scripts in processes that have imported TensorFlow and not used it: forks of a process that imported it once."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from patience import PATIENCE_S


class NewProcess:
    """A process that runs a script.

    Args:
      script: to run.
      arguments: of its command line.
      log: gets what it prints.
      environment: variables to set before it runs.
    """

    def __init__(
        self, script: Path, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["trainer.training.run", "trainer.tuning.tune"])
        self._process = context.Process(target=_run, args=(script, arguments, log, environment or {}))
        self._process.start()

    def poll(self) -> int | None:
        """Returns the exit code, `-signal` of a process that was killed; `None` of one that runs."""
        return self._process.exitcode

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Returns the exit code.

        Raises:
          TimeoutError: it does not end.
        """
        self._process.join(timeout_s)
        exit_code = self.poll()
        if exit_code is None:
            raise TimeoutError(f"The process did not end within {timeout_s:g} s")
        return exit_code

    def terminate(self) -> None:
        """Sends it SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Ends it, if it is not over."""
        self._process.kill()


def _run(script: Path, arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.environ |= environment
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")
