"""Makes an earlier release the newest again."""

import os

from serving.release.manifest import Manifest, ReleaseError
from serving.release.publish import publish, publishing
from serving.release.store import ReleaseStore

_CARRIED_OVER = ("stages", "metrics", "schema", "data_span", "git_commit", "lock_hash", "refresh_of", "index")


def rollback(version: int, base: str | os.PathLike[str], *, num_releases_kept: int = 3) -> Manifest:
    """Publishes the models of an earlier release again, under a new version number.

    Servers serve the highest version, so this reaches every one of them as a push does, in the same order and with
    the same guarantees, and requests that are under way on the release that is left finish there.

    Args:
      version: of the release to go back to.
      base: folder of the releases.
      num_releases_kept: older releases are removed, but for pinned ones; at least 2, since servers hold two.

    Returns:
      The manifest of the new release, whose `rollback_of` is `version`; that of the newest release if its models are
      the same already.

    Raises:
      ReleaseError: there is no such release, it is damaged, or a pin keeps servers from following the newest one.
    """
    if num_releases_kept < 2:
        raise ReleaseError(f"`num_releases_kept` must be at least 2. Received: num_releases_kept={num_releases_kept}")
    store = ReleaseStore(base)
    store.read(version)
    with publishing(store):
        pin = store.pin()
        if pin is not None:
            raise ReleaseError(
                f"Release {pin.stable} is pinned, so servers would not follow a rollback; "
                f"pin release {version} instead, or unpin first"
            )
        manifest = store.verify(version)
        fields = {name: getattr(manifest, name) for name in _CARRIED_OVER}
        sources = {model: store.model_path(model, version) for model in manifest.models}
        return publish(store, sources, num_releases_kept, rollback_of=version, **fields)
