import os
import shutil

import pytest

from serving.release.intact import IntactReleases
from serving.release.manifest import ReleaseError
from serving.release.pin_release import pin_release, unpin_release
from serving.release.push import push
from serving.release.store import ReleaseStore


@pytest.fixture
def store(tmp_path):
    return ReleaseStore(tmp_path / "base")


@pytest.fixture
def versions(store, write_models, stages):
    return [push(write_models(c), store.base, stages=stages).version for c in "abc"]


def saved_model(store, version, model="ranking"):
    return store.model_path(model, version) / "saved_model.pb"


def test_the_two_newest(store, versions, write_models, stages):
    releases = IntactReleases(store)
    assert releases.newest() == store.read(versions[2])
    assert releases.versions() == [versions[2], versions[1]]
    fourth = push(write_models("d"), store.base, stages=stages).version
    assert releases.versions() == [fourth, versions[2]]


def test_a_damaged_release_is_passed_over_until_it_is_whole(store, versions):
    file = saved_model(store, versions[2])
    content = file.read_text()
    file.write_text("x")
    releases = IntactReleases(store)
    assert releases.versions() == releases.versions() == [versions[1], versions[0]]
    assert releases.newest().version == versions[1]
    file.write_text(content)
    assert releases.versions() == [versions[2], versions[1]]


def test_a_damaged_manifest(store, versions):
    store.manifest_path(versions[2]).write_text("{")
    assert IntactReleases(store).versions() == [versions[1], versions[0]]


def test_a_release_that_lacks_a_model(store, versions):
    shutil.rmtree(store.model_path("retrieval", versions[1]))
    assert IntactReleases(store).versions() == [versions[2], versions[0]]


def test_a_chosen_release_is_not_read_again(store, versions):
    releases = IntactReleases(store)
    assert releases.versions() == [versions[2], versions[1]]
    saved_model(store, versions[2]).unlink()  # what is loaded is not unloaded for it
    assert releases.versions() == [versions[2], versions[1]]
    assert IntactReleases(store).versions() == [versions[1], versions[0]]


def test_a_damaged_release_is_not_read_again_before_its_files_change(store, versions):
    file = saved_model(store, versions[2])
    content, times = file.read_text(), (10**18, 10**18)
    file.write_text("x" * len(content))
    os.utime(file, ns=times)
    releases = IntactReleases(store)
    assert releases.versions() == [versions[1], versions[0]]
    file.write_text(content)
    os.utime(file, ns=times)
    assert releases.versions() == [versions[1], versions[0]]
    os.utime(file)
    assert releases.versions() == [versions[2], versions[1]]


def test_the_pinned_ones(store, versions):
    releases = IntactReleases(store)
    pin_release(store.base, versions[0])
    assert releases.versions() == [versions[0]]
    pin_release(store.base, versions[0], canary=versions[2])
    assert releases.versions() == [versions[2], versions[0]]
    saved_model(store, versions[2]).write_text("x")
    assert releases.versions() == [versions[2], versions[0]]
    assert IntactReleases(store).versions() == [versions[0]]
    unpin_release(store.base)
    assert IntactReleases(store).versions() == [versions[1], versions[0]]


def test_what_was_chosen_stays_while_the_pin_cannot_be_read(store, versions):
    releases = IntactReleases(store)
    pin_release(store.base, versions[0])
    assert releases.versions() == [versions[0]]
    store.pin_path.write_text("{")
    assert releases.versions() == [versions[0]]
    with pytest.raises(ReleaseError, match=r"pin\.json is no pin"):
        releases.newest()


def test_nothing_to_serve(store, write_models, stages):
    with pytest.raises(ReleaseError, match=f"There is no release in {store.base} yet"):
        IntactReleases(store).newest()
    first, second = (push(write_models(c), store.base, stages=stages).version for c in "ab")
    saved_model(store, first).unlink()
    saved_model(store, second).unlink()
    with pytest.raises(ReleaseError, match=f"Release {second}: .*/ranking/{second}/saved_model.pb is missing"):
        IntactReleases(store).newest()
    store.pin_path.write_text('{"stable": 5}')
    with pytest.raises(ReleaseError, match=r"Release 5 is pinned, but not in .*base"):
        IntactReleases(store).newest()
