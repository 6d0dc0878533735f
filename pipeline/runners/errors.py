"""Why a pipeline did not run to its end."""

import re
from pathlib import Path

from pipeline.source_hash import OWN_PACKAGES

_BEAM_SUFFIX = re.compile(r" \[while running '.*'\]$")


class PipelineError(Exception):
    """A pipeline that could not be run or did not reach its end; the message is one line."""


class RunInProgressError(PipelineError):
    """Another process runs a pipeline over the same metadata store."""


class ComponentFailedError(PipelineError):
    """A component that ended the run.

    Args:
      component: its id.
      reason: what went wrong, in one line.
      log_path: file with everything that was logged.
    """

    def __init__(self, component: str, reason: str, log_path: Path):
        super().__init__(f"{component}: {reason} (log: {log_path})")
        self.component = component
        self.reason = reason
        self.log_path = log_path


class ReleaseRefusedError(ComponentFailedError):
    """A gate did not bless the candidate release; `reason` says why."""


def root_cause(error: BaseException) -> str:
    """Returns the message of the error at the bottom of a chain, as one line.

    Errors of this project speak for themselves; the type of any other is named.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if "Traceback" in str(error):
        # Beam puts the whole trace of a worker into the message, with the error itself last.
        return _BEAM_SUFFIX.sub("", lines[-1])
    message = " ".join(lines)[:1000]
    if message and type(error).__module__.partition(".")[0] in OWN_PACKAGES:
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
