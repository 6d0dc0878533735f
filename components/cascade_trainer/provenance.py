"""Where a candidate release comes from."""

import hashlib
import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def git_commit() -> str | None:
    """Returns the commit of the project's checkout, with `-dirty` after changes; `None` outside of one."""
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def lock_hash() -> str | None:
    """Returns the SHA-256 of the project's `uv.lock`, `None` where there is none."""
    lock = _ROOT / "uv.lock"
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None
