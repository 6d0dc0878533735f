import dataclasses
import os

import pytest

from serving.release.manifest import ReleaseError
from serving.release.pin_release import pin_release
from serving.release.push import push
from serving.release.rollback import rollback
from serving.release.store import ReleaseStore


@pytest.fixture
def pushed(tmp_path, write_models, stages):
    """Three releases, with all that a manifest can say; the last is the newest."""

    def fields(content):
        origin = {"git_commit": content, "lock_hash": content * 2, "refresh_of": 7}
        return {"metrics": {content: 0.5}, "schema": {"of": content}, "index": {"kind": content}, **origin}

    span = ("2022-04-09", "2022-04-28")
    return [push(write_models(c), tmp_path / "base", stages=stages, data_span=span, **fields(c)) for c in "abc"]


def test_the_models_of_an_earlier_release_become_the_newest(tmp_path, pushed):
    store = ReleaseStore(tmp_path / "base")
    manifest = rollback(pushed[0].version, tmp_path / "base")
    assert manifest.version > pushed[2].version
    assert manifest == store.latest() == store.verify(manifest.version)
    carried_over = dataclasses.replace(
        pushed[0], version=manifest.version, created_time=manifest.created_time, rollback_of=pushed[0].version
    )
    assert manifest == carried_over
    for model in manifest.models:
        assert (store.model_path(model, manifest.version) / "saved_model.pb").read_text() == f"{model} a"


def test_a_rollback_prunes_as_a_push_does(tmp_path, pushed):
    newest = rollback(pushed[0].version, tmp_path / "base").version
    assert ReleaseStore(tmp_path / "base").versions() == [pushed[1].version, pushed[2].version, newest]
    last = rollback(pushed[2].version, tmp_path / "base", num_releases_kept=2).version
    assert ReleaseStore(tmp_path / "base").versions() == [newest, last]


def test_nothing_happens_if_the_newest_release_has_these_models(tmp_path, pushed):
    assert rollback(pushed[2].version, tmp_path / "base") == pushed[2]
    first = rollback(pushed[0].version, tmp_path / "base", num_releases_kept=4)
    assert rollback(pushed[0].version, tmp_path / "base", num_releases_kept=4) == first


def test_a_damaged_release_is_not_rolled_back_to(tmp_path, pushed):
    store = ReleaseStore(tmp_path / "base")
    file = store.model_path("ranking", pushed[0].version) / "saved_model.pb"
    file.write_text("x")
    with pytest.raises(ReleaseError, match=f"Release {pushed[0].version}: {file} does not match its checksum"):
        rollback(pushed[0].version, tmp_path / "base")
    assert store.versions() == [manifest.version for manifest in pushed]
    assert not [name for name in os.listdir(store.base) if name.startswith(".tmp")]


def test_a_damaged_newest_release_is_left_behind(tmp_path, pushed):
    ReleaseStore(tmp_path / "base").manifest_path(pushed[2].version).write_text("{")
    assert rollback(pushed[1].version, tmp_path / "base").checksums == pushed[1].checksums


def test_what_cannot_be_rolled_back(tmp_path, pushed):
    versions = [manifest.version for manifest in pushed]
    with pytest.raises(ReleaseError, match=rf"No release 5 under .*base. Releases: \[{versions[0]}, .*\]"):
        rollback(5, tmp_path / "base")
    with pytest.raises(ReleaseError, match="`num_releases_kept` must be at least 2"):
        rollback(versions[0], tmp_path / "base", num_releases_kept=1)
    with pytest.raises(ReleaseError, match="No release 5 under"):
        rollback(5, tmp_path / "none")
    pin_release(tmp_path / "base", versions[1])
    message = (
        f"Release {versions[1]} is pinned, so servers would not follow a rollback; "
        f"pin release {versions[0]} instead, or unpin first"
    )
    with pytest.raises(ReleaseError, match=message):
        rollback(versions[0], tmp_path / "base")
    assert ReleaseStore(tmp_path / "base").versions() == versions
