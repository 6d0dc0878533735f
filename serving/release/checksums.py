"""Checksums of a folder."""

import hashlib
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def checksums(folder: Path) -> dict[str, str]:
    """Returns the SHA-256 of every file below a folder, by its path inside the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
