"""Pushes the models of a cascade as one release."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from serving.release.files import SAVED_MODEL, AnyPath, any_path
from serving.release.manifest import Manifest, ReleaseError, Stage
from serving.release.publish import publish, publishing
from serving.release.store import RELEASES, ReleaseStore
from serving.signatures import RETRIEVAL


def push(
    models: Mapping[str, str | os.PathLike[str]],
    base: str | os.PathLike[str],
    *,
    stages: Sequence[Stage],
    metrics: Mapping[str, float] | None = None,
    schema: Mapping[str, Any] | None = None,
    data_span: tuple[str, str] | None = None,
    git_commit: str | None = None,
    lock_hash: str | None = None,
    index: Mapping[str, Any] | None = None,
    refresh_of: int | None = None,
    num_releases_kept: int = 3,
) -> Manifest:
    """Publishes SavedModels under one new version number.

    A killed push leaves nothing that is taken for a release, and the next push clears it away. Models that equal
    those of the newest release, file by file, are not pushed again. Pushes to the same folder wait for one another; to
    a path with a scheme only one may be under way.

    Args:
      models: folder of each SavedModel by name: every stage, and any other model of the release such as `cascade`.
      base: folder of the releases, made if it is missing; or a path with a scheme, such as `gs://bucket/serving`.
      stages: the cascade in funnel order, `retrieval` first.
      metrics: evaluation results by name.
      schema: the features that the models read, as a JSON object.
      data_span: first and last day of the training data, ISO 8601.
      git_commit: of the code that trained the models.
      lock_hash: SHA-256 of the lock file of the packages that trained them.
      index: kind and recall of the search of the catalogue.
      refresh_of: the release whose weights these are, where only the catalogue is another.
      num_releases_kept: older releases are removed, but for pinned ones; at least 2, since servers hold two.

    Returns:
      The manifest of the new release, or of the newest one if the models are the same.

    Raises:
      ReleaseError: the arguments do not make a release, or what is in `base` is damaged.
    """
    sources = {name: any_path(path) for name, path in models.items()}
    _check(sources, stages, num_releases_kept)
    origin = {
        "metrics": {name: float(value) for name, value in (metrics or {}).items()},
        "schema": None if schema is None else dict(schema),
        "data_span": data_span,
        "git_commit": git_commit,
        "lock_hash": lock_hash,
        "index": None if index is None else dict(index),
        "refresh_of": refresh_of,
    }
    store = ReleaseStore(base)
    store.base.mkdir(parents=True, exist_ok=True)
    with publishing(store):
        return publish(store, sources, num_releases_kept, stages=tuple(stages), **origin)


def _check(sources: Mapping[str, AnyPath], stages: Sequence[Stage], num_releases_kept: int) -> None:
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
        if not (path / SAVED_MODEL).is_file():
            raise ReleaseError(f"Model {name!r} must be a SavedModel, but there is no {path / SAVED_MODEL}")
