"""Why a run of the pipeline ended early, in one line."""

import re
from pathlib import Path

from datasets.errors import DataError

_BEAM_SUFFIX = re.compile(r" \[while running '.*'\]$")


class PipelineError(Exception):
    """A run that did not reach its end.

    Args:
      component: id of the component that ended it.
      reason: what went wrong, in one line.
      log_path: file with everything that was logged.
    """

    def __init__(self, component: str, reason: str, log_path: Path):
        super().__init__(f"{component}: {reason} (log: {log_path})")
        self.component = component
        self.reason = reason
        self.log_path = log_path


class ReleaseRefusedError(PipelineError):
    """A gate did not bless the candidate release; `reason` says why."""


def root_cause(error: BaseException) -> str:
    """Returns the message of the error at the bottom of a chain, as one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if isinstance(error, DataError):
        return " ".join(lines)
    # Beam and TensorFlow put a whole trace into the message, with the error itself last.
    last = _BEAM_SUFFIX.sub("", lines[-1])
    return last if "Traceback" in str(error) else f"{type(error).__name__}: {' '.join(lines)[:500]}"
