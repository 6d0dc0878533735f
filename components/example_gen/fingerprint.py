"""What changes when the files of a data set change."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from sources.reading import DataError


def fingerprint(files: Sequence[Path]) -> str:
    """Describes files by name, size and time of modification, without reading them.

    Returns:
      JSON with `num_files`, `total_bytes`, `newest_mtime_s` (Unix seconds) and `sha256` over all three of each file.

    Raises:
      DataError: there is no file, or one is missing.
    """
    if not files:
        raise DataError("The data set has no files")
    digest = hashlib.sha256()
    total_bytes = newest_mtime_s = 0
    for file in sorted(files):
        try:
            stat = file.stat()
        except OSError as error:
            raise DataError(f"{file}: expected a readable file. Received: {error.strerror}") from error
        digest.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
        total_bytes += stat.st_size
        newest_mtime_s = max(newest_mtime_s, int(stat.st_mtime))
    return json.dumps(
        {
            "num_files": len(files),
            "total_bytes": total_bytes,
            "newest_mtime_s": newest_mtime_s,
            "sha256": digest.hexdigest(),
        }
    )
