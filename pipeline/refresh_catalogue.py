"""A release for the items that a data set has now."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from components.example_gen.serialization import serialize_record
from serving import signatures
from serving.release.manifest import Manifest
from serving.release.push import push
from serving.release.store import ReleaseStore
from sources.adapter import Adapter
from trainer.release.refresh.refresh_models import Refresh, refresh_models


def refresh_catalogue(store: ReleaseStore, version: int, adapter: Adapter, min_kept: float) -> tuple[Manifest, Refresh]:
    """Publishes the weights of a release with another catalogue, as the newest release.

    The new release carries no metrics, since nothing evaluated it.

    Args:
      store: the releases.
      version: of the release whose weights are taken.
      adapter: of the data, whose newest catalogue is taken.
      min_kept: share of the release's items that must be in it.

    Returns:
      The manifest of the new release and what changed.

    Raises:
      ReleaseError: there is no such release, or it is damaged.
      RefreshError: the catalogue does not fit the release.
      ValueError: the release carries nothing to be refreshed from.
      DataError: the data cannot be read.
    """
    manifest = store.verify(version)
    with tempfile.TemporaryDirectory(prefix="lcron-refresh-") as folder:
        cascade_dir = str(store.model_path(signatures.CASCADE, version))
        refreshed = refresh_models(cascade_dir, _examples(adapter), folder, min_kept=min_kept)
        pushed = push(
            {name: Path(folder) / name for name in manifest.models},
            store.base,
            stages=manifest.stages,
            schema=manifest.schema,
            data_span=manifest.data_span,
            git_commit=manifest.git_commit,
            lock_hash=manifest.lock_hash,
            index=refreshed.index,
            refresh_of=version,
        )
    return pushed, refreshed


def _examples(adapter: Adapter) -> Iterator[bytes]:
    records = adapter.read_newest_catalogue(lambda policy, number: None)
    return (serialize_record(record) for record in records)
