"""Tells servers which releases to serve."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from serving.release import files
from serving.release.manifest import ReleaseError
from serving.release.pin import Pin
from serving.release.store import ReleaseStore


def pin_release(base: str | os.PathLike[str], version: int, *, canary: int | None = None) -> Pin:
    """Has servers serve a release, and a canary beside it, whatever is pushed later.

    Pinned releases are kept for as long as they are pinned. A pin that was there before is replaced.

    Args:
      base: folder of the releases.
      version: of the release to serve, by the version label `stable`.
      canary: version of a release to serve beside it, by the version label `canary`.

    Raises:
      ReleaseError: a release is unknown or damaged; the pin that was there before stays.
    """
    pin = Pin(version, canary)
    with _changing(base) as store:
        for pinned in pin.versions:
            store.verify(pinned)
        staged = store.base / ".pin.json"
        files.write_text(staged, pin.to_json())
        files.rename_file(staged, store.pin_path)
    return pin


def unpin_release(base: str | os.PathLike[str]) -> bool:
    """Has servers follow the newest releases again; returns whether there was a pin.

    Raises:
      ReleaseError: there is no folder of releases.
    """
    with _changing(base) as store:
        is_pinned = store.pin_path.exists()
        store.pin_path.unlink(missing_ok=True)
    return is_pinned


@contextmanager
def _changing(base: str | os.PathLike[str]) -> Iterator[ReleaseStore]:
    store = ReleaseStore(base)
    if not store.versions():
        raise ReleaseError(f"There is no release in {store.base} yet")
    with files.lock(store.base):
        yield store
