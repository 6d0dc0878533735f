"""Where measured figures come from."""

import datetime
import importlib.metadata
import os
import platform
import shlex
import sys
from pathlib import Path

from components.cascade_trainer.provenance import git_commit


def provenance(program: str, seed: str) -> dict[str, str]:
    """Returns commit, day, hardware, versions, seed and command of this process, in words.

    Args:
      program: that was started, such as `"lcron"` or `"python -m benchmarks.losses"`.
      seed: of everything random, or what seeds there are.
    """
    return {
        "commit": git_commit() or "unknown",
        "date": datetime.date.today().isoformat(),
        "hardware": f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB",
        "software": f"TensorFlow {importlib.metadata.version('tensorflow')}, Python {platform.python_version()}",
        "seed": seed,
        "command": f"{program} {shlex.join(sys.argv[1:])}",
    }


def _processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
