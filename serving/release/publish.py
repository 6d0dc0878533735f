"""Brings a release into its folder, and takes old ones out.

Every model appears under its final name, as `files.move_in` says, in the order of `Manifest.models`: a version that
retrieval answers with is complete in every other model. The manifest is the last to appear and makes it a release;
before it, the one-call cascade, which needs no other model, may be seen without retrieval. Around all that, the
folder `<base>/.tmp-<version>` stands for as long as the version is on its way in or out, so whoever comes after a
killed push knows what to clear away. The manifest lies in it all that time, since a bucket has no empty folders.
"""

import contextlib
import datetime
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from serving.release import files
from serving.release.checksums import checksums
from serving.release.files import AnyPath
from serving.release.manifest import Manifest, ReleaseError
from serving.release.store import ReleaseStore
from serving.signatures import RETRIEVAL

_MANIFEST = "manifest.json"


@contextlib.contextmanager
def publishing(store: ReleaseStore) -> Iterator[None]:
    """Keeps other publishers waiting, and clears away what a killed one left, before and after."""
    with files.lock(store.base):
        _clear_transit(store)
        try:
            yield
        finally:
            _clear_transit(store)


def publish(store: ReleaseStore, sources: Mapping[str, AnyPath], num_releases_kept: int, **fields: Any) -> Manifest:
    """Copies SavedModels in as the newest release; call it inside `publishing`.

    Args:
      store: the releases.
      sources: folder of each SavedModel by name.
      num_releases_kept: older releases are removed, but for pinned ones.
      **fields: of the manifest, but for `version`, `checksums` and `created_time`.

    Returns:
      The manifest of the new release, or of the newest one if it is intact and the models are the same.

    Raises:
      ReleaseError: the pin is damaged, `fields` make no release, a copy is not what its source was, or another push
        was under way.
    """
    pin = store.pin()
    manifest = Manifest(
        version=max([int(time.time()), *(taken + 1 for taken in _versions_taken(store))]),
        checksums={name: checksums(path) for name, path in sorted(sources.items())},
        created_time=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        **fields,
    )
    same = _same_newest(store, manifest)
    if same is not None:
        return same
    transit = _transit(store, manifest.version)
    files.write_text(transit / _MANIFEST, manifest.to_json())
    for name, path in sources.items():
        files.copy_tree(path, transit / name)
        if checksums(transit / name) != manifest.checksums[name]:
            _check_alone(store, manifest, transit / _MANIFEST)
            raise ReleaseError(f"{transit / name} must be a copy of {path}, which changed, or was not copied whole")
    _move_in(store, manifest, transit)
    for old in store.versions()[:-num_releases_kept]:
        if pin is None or old not in pin.versions:
            _withdraw(store, old)
    return manifest


def _move_in(store: ReleaseStore, manifest: Manifest, transit: AnyPath) -> None:
    """Gives the models their final names, and the manifest last."""
    target = store.manifest_path(manifest.version)
    _check_alone(store, manifest, transit / _MANIFEST)
    with contextlib.suppress(FileNotFoundError):  # of what another push took away; then the manifest is gone as well
        for name in manifest.models:
            path = store.model_path(name, manifest.version)
            path.parent.mkdir(exist_ok=True)
            files.move_in(transit / name, path)
        target.parent.mkdir(exist_ok=True)
        files.rename_file(transit / _MANIFEST, target)
    _check_alone(store, manifest, target)


def _check_alone(store: ReleaseStore, manifest: Manifest, path: AnyPath) -> None:
    """Looks whether the manifest is where it was put; where it is not, what is left of the version goes too.

    Raises:
      ReleaseError: another push was under way, as nothing prevents in a bucket, and took this one for a killed one.
    """
    try:
        is_there = path.read_text() == manifest.to_json()
    except FileNotFoundError:
        is_there = False
    if not is_there:
        if not store.manifest_path(manifest.version).exists():
            _withdraw(store, manifest.version)
        raise ReleaseError(
            f"Version {manifest.version} under {store.base} was taken away while it was pushed, by another push or by "
            "hand. A path with a scheme takes one push at a time"
        )


def _withdraw(store: ReleaseStore, version: int) -> None:
    """Takes a version away, manifest first and retrieval next, so that no half of it is ever taken for a release."""
    transit = _transit(store, version)
    if store.manifest_path(version).exists():
        files.rename_file(store.manifest_path(version), transit / _MANIFEST)
    for folder in sorted(store.model_folders(), key=lambda folder: folder.name != RETRIEVAL):
        if (folder / str(version)).exists():
            files.move_out(folder / str(version), transit / folder.name)
    files.remove_tree(transit)


def _clear_transit(store: ReleaseStore) -> None:
    """Finishes what was on its way in or out: a version with a manifest stays, any other goes."""
    for version in _versions_in_transit(store):
        if store.manifest_path(version).exists():
            files.remove_tree(_transit(store, version))
        else:
            _withdraw(store, version)


def _transit(store: ReleaseStore, version: int) -> AnyPath:
    folder = store.base / f".tmp-{version}"
    folder.mkdir(exist_ok=True)
    return folder


def _versions_in_transit(store: ReleaseStore) -> list[int]:
    matches = [re.fullmatch(r"\.tmp-([0-9]+)", path.name) for path in files.children(store.base)]
    return sorted(int(match[1]) for match in matches if match)


def _versions_taken(store: ReleaseStore) -> set[int]:
    numbered = {
        int(path.name) for folder in store.model_folders() for path in folder.iterdir() if path.name.isdecimal()
    }
    return numbered.union(store.versions())


def _same_newest(store: ReleaseStore, manifest: Manifest) -> Manifest | None:
    """Returns the manifest of the newest release if it is intact and holds the models of `manifest`."""
    try:
        newest = store.latest()
        same = newest is not None and newest.fingerprint == manifest.fingerprint
        return store.verify(newest.version) if newest is not None and same else None
    except ReleaseError:
        return None
