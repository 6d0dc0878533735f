"""The releases that may be served."""

import logging

from serving.release.files import files_below
from serving.release.manifest import Manifest, ReleaseError, UnreadableError
from serving.release.serving_config import NUM_VERSIONS_SERVED
from serving.release.store import ReleaseStore

_LOGGER = logging.getLogger(__name__)

_Stamp = frozenset[tuple[str, int, int]]


class IntactReleases:
    """Chooses what a server should serve: the pinned releases or else the newest, if every file is as it was pushed.

    A release is compared with its checksums before it is chosen for the first time, and not again while it stays
    chosen. A damaged one is passed over, and looked at again once its files have changed; one that cannot be read, each
    time.

    Args:
      store: the releases.
    """

    def __init__(self, store: ReleaseStore):
        self._store = store
        self._chosen: dict[int, Manifest] = {}
        self._damaged: dict[int, tuple[_Stamp | None, ReleaseError]] = {}

    def versions(self) -> list[int]:
        """Returns the versions to serve, two at most; the last answer again while the pin cannot be read."""
        try:
            candidates = self._candidates()
        except ReleaseError as error:
            _LOGGER.error("%s", error)
            return list(self._chosen)
        self._damaged = {version: found for version, found in self._damaged.items() if version in candidates}
        chosen: dict[int, Manifest] = {}
        for version in candidates:
            manifest = self._chosen.get(version) or self._verify(version)
            if manifest is not None:
                chosen[version] = manifest
            if len(chosen) == NUM_VERSIONS_SERVED:
                break
        self._chosen = chosen
        return list(chosen)

    def newest(self) -> Manifest:
        """Returns the manifest of the newest release to serve.

        Raises:
          ReleaseError: there is none: no release, none intact, or the pin is damaged or names a release that is gone.
        """
        candidates = self._candidates()
        versions = self.versions()
        if versions:
            return self._chosen[max(versions)]
        if not candidates:
            pin, known = self._store.pin(), self._store.versions()
            if pin is not None and known:
                raise ReleaseError(f"Release {pin.stable} is pinned, but not in {self._store.base}. Releases: {known}")
            raise ReleaseError(f"There is no release in {self._store.base} yet")
        raise self._damaged[candidates[0]][1]

    def _candidates(self) -> list[int]:
        pin, known = self._store.pin(), self._store.versions()
        return [version for version in reversed(known) if pin is None or version in pin.versions]

    def _verify(self, version: int) -> Manifest | None:
        stamp = self._stamp(version)
        if version in self._damaged and self._damaged[version][0] == stamp:
            return None
        try:
            manifest = self._store.verify(version)
        except UnreadableError as error:
            self._damaged[version] = None, error
        except ReleaseError as error:
            self._damaged[version] = stamp, error
        else:
            self._damaged.pop(version, None)
            return manifest
        _LOGGER.error("Not served: %s", self._damaged[version][1])
        return None

    def _stamp(self, version: int) -> _Stamp:
        """Returns sizes and times of all files that a release may have: cheap beside reading them."""
        paths = [self._store.manifest_path(version)]
        for folder in self._store.model_folders():
            paths += [folder / str(version) / name for name in files_below(folder / str(version))]
        found = set()
        for path in paths:
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            found.add((str(path), status.st_size, status.st_mtime_ns))
        return frozenset(found)
