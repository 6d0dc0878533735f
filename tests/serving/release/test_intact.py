import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from serving.release.files import remove_tree
from serving.release.intact import IntactReleases
from serving.release.manifest import ReleaseError, UnreadableError
from serving.release.pin_release import pin_release, unpin_release
from serving.release.push import push
from serving.release.store import ReleaseStore


@pytest.fixture
def store(base):
    return ReleaseStore(base)


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


def test_a_damaged_release_is_passed_over_until_it_is_whole(store, versions, rewrite):
    file = saved_model(store, versions[2])
    content = file.read_text()
    rewrite(file, "x")
    releases = IntactReleases(store)
    assert releases.versions() == releases.versions() == [versions[1], versions[0]]
    assert releases.newest().version == versions[1]
    rewrite(file, content)
    assert releases.versions() == [versions[2], versions[1]]


def test_a_damaged_manifest(store, versions, rewrite):
    rewrite(store.manifest_path(versions[2]), "{")
    assert IntactReleases(store).versions() == [versions[1], versions[0]]


def test_a_release_that_lacks_a_model(store, versions):
    remove_tree(store.model_path("retrieval", versions[1]))
    assert IntactReleases(store).versions() == [versions[2], versions[0]]


def test_a_chosen_release_is_not_read_again(store, versions):
    releases = IntactReleases(store)
    assert releases.versions() == [versions[2], versions[1]]
    saved_model(store, versions[2]).unlink()  # what is loaded is not unloaded for it
    assert releases.versions() == [versions[2], versions[1]]
    assert IntactReleases(store).versions() == [versions[1], versions[0]]


def test_a_damaged_release_is_not_read_again_before_its_files_change(tmp_path, write_models, stages):
    store = ReleaseStore(tmp_path / "base")
    versions = [push(write_models(c), store.base, stages=stages).version for c in "abc"]
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


@contextlib.contextmanager
def unreadable(file):
    """Keeps a file, with its size and times, from being read by this process, which may be root's."""
    user = os.geteuid()
    file.chmod(0)
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)
        file.chmod(0o644)


@pytest.mark.parametrize("name", ["releases/{}.json", "ranking/{}/saved_model.pb"])
def test_a_release_that_could_not_be_read_is_read_again(name, write_models, stages):
    folder = Path(tempfile.mkdtemp())  # pytest's own is for its user alone
    try:
        folder.chmod(0o755)
        store = ReleaseStore(folder / "base")
        first, second = (push(write_models(c), store.base, stages=stages).version for c in "ab")
        releases = IntactReleases(store)
        file = store.base / name.format(second)
        with unreadable(file):
            assert releases.versions() == [first]
            with pytest.raises(UnreadableError, match=r"Permission denied"):
                store.verify(second)
        assert releases.versions() == [second, first]
    finally:
        shutil.rmtree(folder)


def test_the_pinned_ones(store, versions, rewrite):
    releases = IntactReleases(store)
    pin_release(store.base, versions[0])
    assert releases.versions() == [versions[0]]
    pin_release(store.base, versions[0], canary=versions[2])
    assert releases.versions() == [versions[2], versions[0]]
    rewrite(saved_model(store, versions[2]), "x")
    assert releases.versions() == [versions[2], versions[0]]
    assert IntactReleases(store).versions() == [versions[0]]
    unpin_release(store.base)
    assert IntactReleases(store).versions() == [versions[1], versions[0]]


def test_what_was_chosen_stays_while_the_pin_cannot_be_read(store, versions, rewrite):
    releases = IntactReleases(store)
    pin_release(store.base, versions[0])
    assert releases.versions() == [versions[0]]
    rewrite(store.pin_path, "{")
    assert releases.versions() == [versions[0]]
    with pytest.raises(ReleaseError, match=r"pin\.json is no pin"):
        releases.newest()


def test_nothing_to_serve(store, write_models, stages, rewrite):
    with pytest.raises(ReleaseError, match=f"There is no release in {store.base} yet"):
        IntactReleases(store).newest()
    first, second = (push(write_models(c), store.base, stages=stages).version for c in "ab")
    saved_model(store, first).unlink()
    saved_model(store, second).unlink()
    with pytest.raises(ReleaseError, match=f"Release {second}: .*/ranking/{second}/saved_model.pb is missing"):
        IntactReleases(store).newest()
    rewrite(store.pin_path, '{"stable": 5}')
    with pytest.raises(ReleaseError, match=f"Release 5 is pinned, but not in {store.base}"):
        IntactReleases(store).newest()
