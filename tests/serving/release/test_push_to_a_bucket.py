"""A push to a path with a scheme, where nothing but a single file appears at once: what is seen at each of its steps.

The steps are those of the real path over `ram://`. A killed push stops at one of them for good, halfway through it
where the step is none that buckets do at once: a rename is a copy and a removal, a folder is removed file by file.
"""

import functools
import re

import pytest
import tensorflow as tf

from serving.release.files import SAVED_MODEL, any_path, children, files_below, remove_tree
from serving.release.gfile_path import GfilePath
from serving.release.intact import IntactReleases
from serving.release.manifest import ReleaseError
from serving.release.push import push
from serving.release.rollback import rollback
from serving.release.store import ReleaseStore

MODELS = ("ranking", "prerank", "cascade", "retrieval")
FILES = ["saved_model.pb", "variables/variables.index"]
STEPS = ("mkdir", "open", "rename", "unlink", "rmtree")


class Killed(BaseException):
    """Ends a push; whatever it still tries to do ends alike."""


@pytest.fixture
def store():
    bucket = any_path("ram://test_push_to_a_bucket")
    yield ReleaseStore(bucket / "serving")
    remove_tree(bucket)


@pytest.fixture
def each_step(monkeypatch):
    """Calls a function before and after every step that changes the bucket, with the step and its paths."""

    def watch(before, after=lambda *step: None):
        def watched(name, method):
            def step(self, *arguments, **options):
                if name == "open" and arguments[0] == "rb":
                    return method(self, *arguments, **options)
                before(name, self, *arguments)
                result = method(self, *arguments, **options)
                after(name, self, *arguments)
                return result

            return step

        patch.undo()
        for name in STEPS:
            patch.setattr(GfilePath, name, watched(name, getattr(GfilePath, name)))

    with monkeypatch.context() as patch:
        yield watch


def check_what_servers_see(store):
    """A model is whole once it is one, a version of retrieval is whole in all models, a release is as it was pushed."""
    models = {
        (folder.name, version.name): files_below(version)
        for folder in store.model_folders()
        for version in children(folder)
        if folder.name in MODELS and SAVED_MODEL in files_below(version)
    }
    for (model, version), files in models.items():
        assert files == FILES, (model, version)
        content = (store.base / model / version / SAVED_MODEL).read_text().split()[1]
        assert (store.base / model / version / FILES[1]).read_text() == f"{model} index {content}"
        if model == "retrieval":
            assert all((other, version) in models for other in MODELS)
    intact = IntactReleases(store).versions()
    for version in store.versions():
        store.verify(version)
    assert intact == store.versions()[:-3:-1]


def test_order(store, each_step, write_models, stages):
    models = write_models("a")
    (models["ranking"] / "saved_model.pb").write_text("the largest of all, and last")
    (models["ranking"] / "assets" / "ids.txt").write_text("1")
    (models["ranking"] / "assets" / "empty.txt").write_text("")
    seen = []

    def note(name, path, *arguments):
        if name == "rename":
            seen.append(arguments[0].uri.removeprefix(f"{store.base}/"))

    each_step(note)
    version = push(models, store.base, stages=stages).version
    assert seen == [
        f"ranking/{version}/variables/variables.index",
        f"ranking/{version}/assets/ids.txt",
        f"ranking/{version}/assets/empty.txt",
        f"ranking/{version}/saved_model.pb",
        *(f"{model}/{version}/{file}" for model in MODELS[1:] for file in reversed(FILES)),
        f"releases/{version}.json",
    ]


def test_nobody_sees_a_half_at_any_step_of_a_push(store, each_step, write_models, stages):
    for content in "ab":
        push(write_models(content), store.base, stages=stages, num_releases_kept=2)
    steps = []

    def look(*step):
        steps.append(step)
        check_what_servers_see(store)

    each_step(look, look)
    third = push(write_models("c"), store.base, stages=stages, num_releases_kept=2)
    assert len(steps) > 80
    assert store.latest() == store.verify(third.version)


def do_half(name, path, *arguments):
    """Does half of a step, as a bucket may."""
    if name == "rename":
        tf.io.gfile.copy(path, arguments[0], overwrite=True)
    elif name == "rmtree":
        for file in files_below(path)[::-2]:
            tf.io.gfile.remove(path / file)


def run_until(number, action, each_step, *, half):
    """Lets an action take a number of steps and dies; returns whether it died."""
    num_steps = 0

    def step(*step):
        nonlocal num_steps
        num_steps += 1
        if num_steps == number and half:
            do_half(*step)
        if num_steps >= number:  # nothing that it does to clear up gets done either
            raise Killed

    each_step(step)
    try:
        action()
        return False
    except Killed:
        return True
    finally:
        each_step(lambda *step: None)


@pytest.mark.parametrize("half", [False, True])
def test_a_push_killed_at_any_step_is_cleared_away_by_the_next(store, each_step, write_models, stages, half):
    def push_models(content):
        return push(write_models(content), store.base, stages=stages, num_releases_kept=2)

    newest = [push_models(content).version for content in "ab"][-1]
    number = 1
    while run_until(number, functools.partial(push_models, f"kill{number}"), each_step, half=half):
        check_what_servers_see(store)
        assert newest in store.versions()
        if number % 3 == 0:
            push_models(f"ok{number}")
            check_what_servers_see(store)
            left = {path.name for path in store.base.iterdir()}
            assert left == {*MODELS, "releases"}
            for model in MODELS:
                assert sorted(int(path.name) for path in (store.base / model).iterdir()) == store.versions()
        newest = store.versions()[-1]
        number += 1
    assert number > 50


def test_a_rollback_that_is_killed_leaves_the_newest_release(store, each_step, write_models, stages):
    first, second = (push(write_models(content), store.base, stages=stages).version for content in "ab")
    number = 1
    while run_until(number, lambda: rollback(first, store.base), each_step, half=True):
        check_what_servers_see(store)
        assert {first, second} <= set(store.versions())
        number += 5
    assert store.latest().rollback_of == first


@pytest.mark.parametrize("number", range(5, 95, 9))
def test_of_two_pushes_at_the_same_time_one_says_so_and_the_other_is_whole(
    store, each_step, write_models, stages, number
):
    """A second push runs from its start to its end in the middle of a first one."""
    base = push(write_models("a"), store.base, stages=stages)
    first, second = write_models("b"), write_models("c")
    num_steps, inner = 0, []

    def step(*step):
        nonlocal num_steps
        num_steps += 1
        if num_steps == number:
            inner.append(push(second, store.base, stages=stages))

    each_step(step)
    outer, error = None, ""
    try:
        outer = push(first, store.base, stages=stages)
    except ReleaseError as raised:
        error = str(raised)
    each_step(lambda *step: None)
    message = f"Version [0-9]+ under {store.base} was taken away while it was pushed, by another push or by hand"
    assert outer or re.match(message, error)
    check_what_servers_see(store)
    assert store.versions() == [release.version for release in (base, outer, *inner) if release is not None]


def test_what_a_push_that_was_cut_off_left(store, write_models, stages):
    first = push(write_models("a"), store.base, stages=stages).version
    version = first + 100
    for file in (".tmp-{}/manifest.json", ".tmp-{}/ranking/saved_model.pb", "ranking/{}/variables/variables.index"):
        path = store.base / file.format(version)
        path.parent.mkdir()
        path.write_text("half")
    assert (store.versions(), IntactReleases(store).versions()) == ([first], [first])
    with pytest.raises(ReleaseError, match=f"No release {version} under {store.base}"):
        store.read(version)
    second = push(write_models("b"), store.base, stages=stages).version
    assert {path.name for path in store.base.iterdir()} == {*MODELS, "releases"}
    assert sorted(int(path.name) for path in (store.base / "ranking").iterdir()) == [first, second]
