import hashlib
import os
import subprocess
import sys
import time

import pytest
from patience import PATIENCE_S

from serving.release import files
from serving.release.manifest import ReleaseError, Stage
from serving.release.push import push
from serving.release.store import ReleaseStore

MODELS = {"retrieval", "prerank", "ranking", "cascade"}


def folders(base):
    """Version folders by model, and nothing else under the base."""
    names = {path.name for path in base.iterdir()} - {"releases", ".lock"}
    return {name: {int(path.name) for path in (base / name).iterdir()} for name in names}


def test_a_push_writes_all_models_under_one_version(base, write_models, stages):
    before_s = int(time.time())
    manifest = push(
        write_models("a"),
        base,
        stages=stages,
        metrics={"recall@100": 1},
        schema={"request": [{"name": "tab"}]},
        data_span=("2022-04-09", "2022-04-28"),
        git_commit="abc",
        lock_hash="def",
    )
    assert before_s <= manifest.version <= time.time()
    assert folders(base) == {name: {manifest.version} for name in MODELS}
    store = ReleaseStore(base)
    assert store.verify(manifest.version) == store.latest() == manifest
    assert (manifest.metrics, manifest.data_span) == ({"recall@100": 1.0}, ("2022-04-09", "2022-04-28"))
    assert (manifest.git_commit, manifest.lock_hash) == ("abc", "def")
    assert (manifest.schema, manifest.rollback_of) == ({"request": [{"name": "tab"}]}, None)
    pushed = store.model_path("ranking", manifest.version) / "variables" / "variables.index"
    assert pushed.read_text() == "ranking index a"


def test_empty_folders_of_a_model_are_copied_to_a_folder(tmp_path, write_models, stages):
    version = push(write_models("a"), tmp_path / "base", stages=stages).version
    assert (tmp_path / "base" / "ranking" / str(version) / "assets").is_dir()


def test_versions_grow_even_within_a_second(base, write_models, stages):
    versions = [push(write_models(c), base, stages=stages).version for c in "abc"]
    assert versions == sorted(set(versions))


def test_a_version_is_higher_than_any_folder(base, write_models, stages):
    (base / "ranking" / "99999999999").mkdir(parents=True)
    assert push(write_models("a"), base, stages=stages).version == 100000000000


def test_the_same_models_are_not_pushed_twice(base, write_models, stages):
    first = push(write_models("a"), base, stages=stages)
    assert push(write_models("a"), base, stages=stages, metrics={"new": 1.0}) == first
    assert folders(base) == {name: {first.version} for name in MODELS}
    second = push(write_models("b"), base, stages=stages)
    assert push(write_models("a"), base, stages=stages).version > second.version


def test_the_same_models_are_pushed_again_if_the_release_was_damaged(base, write_models, stages):
    first = push(write_models("a"), base, stages=stages)
    (base / "ranking" / str(first.version) / "saved_model.pb").unlink()
    assert push(write_models("a"), base, stages=stages).version > first.version


def test_a_damaged_newest_manifest_does_not_stop_a_push(base, write_models, stages, rewrite):
    first, second = (push(write_models(c), base, stages=stages).version for c in "ab")
    store = ReleaseStore(base)
    rewrite(store.manifest_path(second), "{")
    third = push(write_models("b"), base, stages=stages).version
    assert third > second
    assert store.verify(third).version == third
    assert store.versions() == [first, second, third]


def test_the_last_releases_are_kept(base, write_models, stages):
    versions = [push(write_models(c), base, stages=stages).version for c in "abcd"]
    assert ReleaseStore(base).versions() == versions[1:]
    assert folders(base) == {name: set(versions[1:]) for name in MODELS}
    last = push(write_models("e"), base, stages=stages, num_releases_kept=2).version
    assert ReleaseStore(base).versions() == [versions[-1], last]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stages": [Stage("ranking", 5)]}, r"The first of `stages` must be 'retrieval'. Received: \['ranking'\]"),
        (
            {"stages": [Stage("retrieval", 5), Stage("third", 5)]},
            r"`models` must hold every stage. Missing: \['third'\]",
        ),
        ({"stages": [Stage("retrieval", 0)]}, "`capacity` of stage 'retrieval' must be positive. Received: 0"),
        ({"num_releases_kept": 1}, "`num_releases_kept` must be at least 2. Received: num_releases_kept=1"),
    ],
)
def test_arguments_that_make_no_release(base, write_models, stages, change, message):
    with pytest.raises(ReleaseError, match=message):
        push(write_models("a"), base, **({"stages": stages} | change))
    assert not base.exists() or folders(base) == {}


def test_a_copy_that_is_not_its_source_is_not_pushed(base, write_models, stages, monkeypatch):
    models = write_models("a")
    copy_tree = files.copy_tree

    def copy_tree_slowly(source, target):
        (models["ranking"] / "saved_model.pb").write_text("retrained meanwhile")
        copy_tree(source, target)

    monkeypatch.setattr(files, "copy_tree", copy_tree_slowly)
    with pytest.raises(ReleaseError, match=r"\.tmp-[0-9]+/ranking must be a copy of .*/ranking, which changed"):
        push(models, base, stages=stages)
    assert (ReleaseStore(base).versions(), folders(base)) == ([], {})


def test_a_model_that_is_no_saved_model(base, write_models, stages):
    models = write_models("a")
    (models["prerank"] / "saved_model.pb").unlink()
    with pytest.raises(ReleaseError, match=r"Model 'prerank' must be a SavedModel, but there is no .*saved_model.pb"):
        push(models, base, stages=stages)
    with pytest.raises(ReleaseError, match="'releases' cannot be the name of a model's folder"):
        push(write_models("b") | {"releases": models["ranking"]}, base, stages=stages)


def test_verify_names_the_damage(base, write_models, stages, rewrite):
    store = ReleaseStore(base)
    version = push(write_models("a"), base, stages=stages).version
    file = store.model_path("prerank", version) / "saved_model.pb"
    content = file.read_text()
    rewrite(file, "x")
    sums = [hashlib.sha256(text.encode()).hexdigest() for text in (content, "x")]
    message = f"Release {version}: {file} does not match its checksum: expected SHA-256 {sums[0]}, found {sums[1]}"
    with pytest.raises(ReleaseError) as caught:
        store.verify(version)
    assert str(caught.value) == message
    file.unlink()
    with pytest.raises(ReleaseError, match=f"Release {version}: {file} is missing"):
        store.verify(version)
    file.write_text(content)
    assert store.verify(version).version == version
    extra = file.parent / "more.pb"
    extra.write_text("")
    with pytest.raises(ReleaseError, match=f"Release {version}: {extra} is not in the manifest"):
        store.verify(version)
    with pytest.raises(ReleaseError, match=rf"No release 5 under {base}. Releases: \[{version}\]"):
        store.read(5)


def test_a_store_without_releases(base):
    assert ReleaseStore(base).versions() == []
    assert ReleaseStore(base).latest() is None


PUSHER = """
import sys
from serving.release import files
from serving.release.manifest import Stage
from serving.release.push import push
models = dict(pair.split("=") for pair in sys.argv[3:])
stages = [Stage("retrieval", 200), Stage("prerank", 100), Stage("ranking", 50)]
kill_at, events = int(sys.argv[1]), 0

def hook(event, args):
    global events
    if event in ("open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "shutil.copyfile", "shutil.rmtree"):
        events += 1
        if events == kill_at:
            import os, signal
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
push(models, sys.argv[2], stages=stages, num_releases_kept=2)
print(events)
"""


def start_pusher(base, models, kill_at=0):
    arguments = [str(kill_at), str(base), *(f"{name}={path}" for name, path in models.items())]
    return subprocess.Popen([sys.executable, "-c", PUSHER, *arguments], stdout=subprocess.PIPE, text=True)


def assert_no_half_release(base, expected_content):
    store = ReleaseStore(base)
    for version in store.versions():
        store.verify(version)
    for version in os.listdir(base / "retrieval"):
        content = (base / "retrieval" / version / "saved_model.pb").read_text().split()[1]
        assert content in expected_content
        for name in MODELS:
            assert (base / name / version / "saved_model.pb").read_text() == f"{name} {content}"
            assert (base / name / version / "variables" / "variables.index").read_text() == f"{name} index {content}"


def test_a_push_killed_at_any_step_leaves_no_half_release(tmp_path, write_models, stages):
    base = tmp_path / "base"
    for content in "ab":
        push(write_models(content), base, stages=stages, num_releases_kept=2)
    rehearsal = tmp_path / "rehearsal"
    for content in "ab":
        push(write_models(content), rehearsal, stages=stages, num_releases_kept=2)
    steps = int(start_pusher(rehearsal, write_models("c")).communicate(timeout=PATIENCE_S)[0])
    assert steps > 60  # renames of models and manifests, copies, removals

    for step in range(1, steps + 1, 2):
        pusher = start_pusher(base, write_models(f"kill{step}"), kill_at=step)
        pusher.communicate(timeout=PATIENCE_S)
        assert pusher.returncode == -9, step
        kept = {"a", "b", *(f"kill{s}" for s in range(step + 1)), *(f"ok{s}" for s in range(step))}
        assert_no_half_release(base, kept)
        if step % 8 == 1:
            manifest = push(write_models(f"ok{step}"), base, stages=stages, num_releases_kept=2)
            store = ReleaseStore(base)
            assert store.latest() == manifest
            assert folders(base) == {name: set(store.versions()) for name in MODELS}
            assert len(store.versions()) == 2


def test_pushers_wait_for_one_another(tmp_path, write_models, stages):
    pushers = [start_pusher(tmp_path / "base", write_models(c)) for c in "abcd"]
    assert [pusher.wait(PATIENCE_S) for pusher in pushers] == [0, 0, 0, 0]
    store = ReleaseStore(tmp_path / "base")
    assert len(store.versions()) == 2
    assert folders(tmp_path / "base") == {name: set(store.versions()) for name in MODELS}
    for version in store.versions():
        store.verify(version)
