"""Pushes the models of a cascade as one release.

Every model folder appears under its final name by one rename, in the order of `Manifest.models`: a version that
retrieval answers with is complete in every other model. The manifest is the last to appear and makes it a release;
before it, the one-call cascade, which needs no other model, may be seen without retrieval. Around all that, the
folder `<base>/.tmp-<version>` stands for as long as the version is on its way in or out, so whoever comes after a
killed push knows what to clear away.
"""

import contextlib
import datetime
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from serving.release.checksums import checksums
from serving.release.manifest import Manifest, ReleaseError, Stage
from serving.release.store import RELEASES, ReleaseStore
from serving.signatures import RETRIEVAL

_MANIFEST = "manifest.json"


def push(
    models: Mapping[str, str | os.PathLike[str]],
    base: str | os.PathLike[str],
    *,
    stages: Sequence[Stage],
    metrics: Mapping[str, float] | None = None,
    data_span: tuple[str, str] | None = None,
    git_commit: str | None = None,
    lock_hash: str | None = None,
    num_releases_kept: int = 3,
) -> Manifest:
    """Publishes SavedModels under one new version number.

    A killed push leaves nothing that is taken for a release, and the next push clears it away. Models that equal
    those of the newest release, file by file, are not pushed again. Pushes to the same base wait for one another.

    Args:
      models: folder of each SavedModel by name: every stage, and any other model of the release such as `cascade`.
      base: folder of the releases; made if it is missing.
      stages: the cascade in funnel order, `retrieval` first.
      metrics: evaluation results by name.
      data_span: first and last day of the training data, ISO 8601.
      git_commit: of the code that trained the models.
      lock_hash: SHA-256 of the lock file of the packages that trained them.
      num_releases_kept: older releases are removed; at least 2, since servers hold two.

    Returns:
      The manifest of the new release, or of the newest one if the models are the same.

    Raises:
      ReleaseError: the arguments do not make a release.
    """
    sources = {name: Path(path) for name, path in models.items()}
    _check(sources, stages, num_releases_kept)
    origin = {
        "metrics": {name: float(value) for name, value in (metrics or {}).items()},
        "data_span": data_span,
        "git_commit": git_commit,
        "lock_hash": lock_hash,
    }
    store = ReleaseStore(base)
    store.base.mkdir(parents=True, exist_ok=True)
    with _lock(store.base):
        _clear_transit(store)
        try:
            return _push(store, sources, num_releases_kept, stages=tuple(stages), **origin)
        finally:
            _clear_transit(store)


def _push(store: ReleaseStore, sources: Mapping[str, Path], num_releases_kept: int, **fields: Any) -> Manifest:
    version = max([int(time.time()), *(taken + 1 for taken in _versions_taken(store))])
    transit = _transit(store, version)
    for name, path in sources.items():
        shutil.copytree(path, transit / name)
    manifest = Manifest(
        version=version,
        checksums={name: checksums(transit / name) for name in sorted(sources)},
        created_time=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        **fields,
    )
    newest = store.latest()
    if newest is not None and newest.fingerprint == manifest.fingerprint and _is_intact(store, newest):
        return newest
    _publish(store, manifest, transit)
    for old in store.versions()[:-num_releases_kept]:
        _withdraw(store, old)
    return manifest


def _check(sources: Mapping[str, Path], stages: Sequence[Stage], num_releases_kept: int) -> None:
    if not stages or stages[0].name != RETRIEVAL:
        raise ReleaseError(f"The first of `stages` must be {RETRIEVAL!r}. Received: {[s.name for s in stages]}")
    if num_releases_kept < 2:
        raise ReleaseError(f"`num_releases_kept` must be at least 2. Received: num_releases_kept={num_releases_kept}")
    missing = [stage.name for stage in stages if stage.name not in sources]
    if missing:
        raise ReleaseError(f"`models` must hold every stage. Missing: {missing}")
    for name, path in sources.items():
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) or name == RELEASES:
            raise ReleaseError(f"{name!r} cannot be the name of a model's folder")
        if not (path / "saved_model.pb").is_file():
            raise ReleaseError(f"Model {name!r} must be a SavedModel, but there is no {path / 'saved_model.pb'}")


@contextlib.contextmanager
def _lock(base: Path) -> Iterator[None]:
    with open(base / ".lock", "w") as file:  # the lock goes with the process, however it ends
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _publish(store: ReleaseStore, manifest: Manifest, transit: Path) -> None:
    (transit / _MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    for name in manifest.models:
        target = store.model_path(name, manifest.version)
        target.parent.mkdir(exist_ok=True)
        os.rename(transit / name, target)
    target = store.manifest_path(manifest.version)
    target.parent.mkdir(exist_ok=True)
    os.rename(transit / _MANIFEST, target)


def _withdraw(store: ReleaseStore, version: int) -> None:
    """Takes a version away, manifest first and retrieval next, so that no half of it is ever taken for a release."""
    transit = _transit(store, version)
    if store.manifest_path(version).exists():
        os.rename(store.manifest_path(version), transit / _MANIFEST)
    for folder in sorted(_model_folders(store), key=lambda folder: folder.name != RETRIEVAL):
        if (folder / str(version)).exists():
            os.rename(folder / str(version), transit / folder.name)
    shutil.rmtree(transit)


def _clear_transit(store: ReleaseStore) -> None:
    """Finishes what was on its way in or out: a version with a manifest stays, any other goes."""
    for version in _versions_in_transit(store):
        if store.manifest_path(version).exists():
            shutil.rmtree(_transit(store, version))
        else:
            _withdraw(store, version)


def _transit(store: ReleaseStore, version: int) -> Path:
    folder = store.base / f".tmp-{version}"
    folder.mkdir(exist_ok=True)
    return folder


def _versions_in_transit(store: ReleaseStore) -> list[int]:
    matches = [re.fullmatch(r"\.tmp-([0-9]+)", name) for name in os.listdir(store.base)]
    return sorted(int(match[1]) for match in matches if match)


def _versions_taken(store: ReleaseStore) -> set[int]:
    numbered = {
        int(path.name) for folder in _model_folders(store) for path in folder.iterdir() if path.name.isdecimal()
    }
    return numbered.union(store.versions())


def _model_folders(store: ReleaseStore) -> list[Path]:
    return [path for path in store.base.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _is_intact(store: ReleaseStore, manifest: Manifest) -> bool:
    try:
        store.verify(manifest.version)
    except ReleaseError:
        return False
    return True
