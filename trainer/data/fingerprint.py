"""What decides the content of a folder, so that checkpoints and packed requests are never taken for others'."""

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from trainer.config.json_text import to_json
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.whole_file import whole_file

_PARTS = "run.json"
_BLOCK_BYTES = 1 << 20
_ABANDONED_S = 14 * 24 * 3600.0


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """The things that decide what a training run learns, or what its packed input is.

    Args:
      parts: text of each by name.
    """

    parts: Mapping[str, str]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(dict(self.parts), sort_keys=True).encode()).hexdigest()[:16]

    def folder(self, base: Path, on_change: Callable[[Sequence[str]], None] = lambda names: None) -> Path:
        """Makes the folder and removes those of others that were left alone for two weeks.

        Args:
          base: folder of all such folders.
          on_change: where there are others only, gets the names of the parts in which the last one differs.

        Returns:
          `<base>/<digest>`.
        """
        folder = base / self.digest
        others = sorted((path.parent for path in base.glob(f"*/{_PARTS}")), key=lambda path: path.stat().st_mtime)
        if not folder.is_dir() and others:
            before = json.loads((others[-1] / _PARTS).read_text())
            changed = [name for name in sorted(self.parts.keys() | before) if before.get(name) != self.parts.get(name)]
            on_change(changed)
        for other in others:
            if other != folder and time.time() - other.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(other, ignore_errors=True)  # another process may do the same
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(folder / _PARTS) as file:  # which also says that the folder is in use
            file.write(json.dumps(dict(self.parts), sort_keys=True, indent=2).encode() + b"\n")
        return folder


def input_parts(
    features: FeatureSpec,
    encoded_features: Sequence[EncodedFeature],
    files: Mapping[str, Sequence[str]],
    source_hash: str,
) -> dict[str, str]:
    """Returns the parts of a fingerprint that say what a run reads and by which code.

    Args:
      features: the declared features.
      encoded_features: what Transform made of them.
      files: input files by what they are; their content counts and not their names.
      source_hash: of the code that runs.
    """
    return {
        "features": to_json(features),
        "encoded features": "\n".join(to_json(feature) for feature in encoded_features),
        **{name: files_hash(paths) for name, paths in files.items()},
        "source": source_hash,
        "tensorflow": tf.__version__,
    }


def files_hash(files: Sequence[str]) -> str:
    """Returns the SHA-256 of the content of files, in their order, whatever their names."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(str(tf.io.gfile.stat(path).length).encode() + b"\0")
        with tf.io.gfile.GFile(path, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
