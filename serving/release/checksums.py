"""Checksums of a folder."""

import hashlib

from serving.release.files import AnyPath, files_below

_BLOCK_BYTES = 1 << 20


def checksums(folder: AnyPath) -> dict[str, str]:
    """Returns the SHA-256 of every file below a folder, by its path inside the folder."""
    return {name: _sha256(folder / name) for name in files_below(folder)}


def _sha256(path: AnyPath) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
