import dataclasses

import pytest

from serving.release.manifest import ReleaseError
from serving.release.pin_release import pin_release
from serving.release.push import push
from serving.release.rollback import rollback
from serving.release.store import ReleaseStore


@pytest.fixture
def pushed(base, write_models, stages):
    """Three releases, with all that a manifest can say; the last is the newest."""

    def fields(content):
        origin = {"git_commit": content, "lock_hash": content * 2, "refresh_of": 7}
        return {"metrics": {content: 0.5}, "schema": {"of": content}, "index": {"kind": content}, **origin}

    span = ("2022-04-09", "2022-04-28")
    return [push(write_models(c), base, stages=stages, data_span=span, **fields(c)) for c in "abc"]


def test_the_models_of_an_earlier_release_become_the_newest(base, pushed):
    store = ReleaseStore(base)
    manifest = rollback(pushed[0].version, base)
    assert manifest.version > pushed[2].version
    assert manifest == store.latest() == store.verify(manifest.version)
    carried_over = dataclasses.replace(
        pushed[0], version=manifest.version, created_time=manifest.created_time, rollback_of=pushed[0].version
    )
    assert manifest == carried_over
    for model in manifest.models:
        assert (store.model_path(model, manifest.version) / "saved_model.pb").read_text() == f"{model} a"


def test_a_rollback_prunes_as_a_push_does(base, pushed):
    newest = rollback(pushed[0].version, base).version
    assert ReleaseStore(base).versions() == [pushed[1].version, pushed[2].version, newest]
    last = rollback(pushed[2].version, base, num_releases_kept=2).version
    assert ReleaseStore(base).versions() == [newest, last]


def test_nothing_happens_if_the_newest_release_has_these_models(base, pushed):
    assert rollback(pushed[2].version, base) == pushed[2]
    first = rollback(pushed[0].version, base, num_releases_kept=4)
    assert rollback(pushed[0].version, base, num_releases_kept=4) == first


def test_a_damaged_release_is_not_rolled_back_to(base, pushed, rewrite):
    store = ReleaseStore(base)
    file = store.model_path("ranking", pushed[0].version) / "saved_model.pb"
    rewrite(file, "x")
    with pytest.raises(ReleaseError, match=f"Release {pushed[0].version}: {file} does not match its checksum"):
        rollback(pushed[0].version, base)
    assert store.versions() == [manifest.version for manifest in pushed]
    assert not [path for path in base.iterdir() if path.name.startswith(".tmp")]


def test_a_damaged_newest_release_is_left_behind(base, pushed, rewrite):
    rewrite(ReleaseStore(base).manifest_path(pushed[2].version), "{")
    assert rollback(pushed[1].version, base).checksums == pushed[1].checksums


def test_what_cannot_be_rolled_back(base, pushed):
    versions = [manifest.version for manifest in pushed]
    with pytest.raises(ReleaseError, match=rf"No release 5 under {base}. Releases: \[{versions[0]}, .*\]"):
        rollback(5, base)
    with pytest.raises(ReleaseError, match="`num_releases_kept` must be at least 2"):
        rollback(versions[0], base, num_releases_kept=1)
    with pytest.raises(ReleaseError, match="No release 5 under"):
        rollback(5, base / "none")
    pin_release(base, versions[1])
    message = (
        f"Release {versions[1]} is pinned, so servers would not follow a rollback; "
        f"pin release {versions[0]} instead, or unpin first"
    )
    with pytest.raises(ReleaseError, match=message):
        rollback(versions[0], base)
    assert ReleaseStore(base).versions() == versions
