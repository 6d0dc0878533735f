"""What makes a training run the same run, so that no checkpoint is taken for another's."""

import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

_PARTS = "run.json"
_BLOCK_BYTES = 1 << 20
_ABANDONED_S = 14 * 24 * 3600.0


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """The things that decide what a training run learns.

    Args:
      parts: text of each by name.
    """

    parts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(dict(self.parts), sort_keys=True).encode()).hexdigest()[:16]

    def folder(self, base: Path, report: Callable[[str], None]) -> Path:
        """Makes the folder of the run's checkpoints and removes those that were left alone for two weeks.

        Args:
          base: folder of the checkpoints of all runs.
          report: gets a line where there are checkpoints, but of other runs.

        Returns:
          `<base>/<digest>`.
        """
        folder = base / self.digest
        others = sorted((path.parent for path in base.glob(f"*/{_PARTS}")), key=lambda path: path.stat().st_mtime)
        if not folder.is_dir() and others:
            before = json.loads((others[-1] / _PARTS).read_text())
            changed = [name for name in sorted(self.parts.keys() | before) if before.get(name) != self.parts.get(name)]
            report(f"starts anew: the last checkpoints in {base} are of another run, other in {', '.join(changed)}")
        for other in others:
            if other != folder and time.time() - other.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(other)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{_PARTS}.tmp"
        temporary.write_text(json.dumps(dict(self.parts), sort_keys=True, indent=2) + "\n")
        os.replace(temporary, folder / _PARTS)
        return folder


def files_hash(files: Sequence[str]) -> str:
    """Returns the SHA-256 of the content of files, in their order, whatever their names."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(tf.io.gfile.stat(path).length).encode() + b"\0")
        with tf.io.gfile.GFile(path, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
