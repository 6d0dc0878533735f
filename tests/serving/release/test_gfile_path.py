import pytest

from serving.release.files import any_path, copy_tree, files_below, remove_tree
from serving.release.gfile_path import GfilePath
from serving.release.manifest import ReleaseError, UnreadableError
from serving.release.pin_release import pin_release
from serving.release.push import push
from serving.release.store import ReleaseStore


@pytest.fixture
def bucket():
    bucket = any_path("ram://test_gfile_path/")
    yield bucket
    remove_tree(bucket)


def test_names(tmp_path):
    path = any_path("gs://bucket/serving/") / "ranking" / "7"
    assert path == GfilePath("gs://bucket/serving/ranking/7") == any_path(path)
    assert (str(path), path.name, path.parent.name) == ("gs://bucket/serving/ranking/7", "7", "ranking")
    assert any_path(str(tmp_path)) == any_path(tmp_path) == tmp_path


def test_files_and_folders(bucket):
    file = bucket / "a" / "b.txt"
    assert (file.exists(), file.is_file(), bucket.is_dir()) == (False, False, False)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("ä")
    assert (file.exists(), file.is_file(), file.is_dir(), file.stat().st_size) == (True, True, False, 2)
    assert (bucket.is_dir(), bucket.is_file(), list(bucket.iterdir())) == (True, False, [bucket / "a"])
    assert (file.read_text(), files_below(bucket)) == ("ä", ["a/b.txt"])
    file.rename(bucket / "c.txt")
    assert (files_below(bucket), (bucket / "c.txt").read_text()) == (["c.txt"], "ä")
    (bucket / "d.txt").write_text("other")
    (bucket / "d.txt").rename(bucket / "c.txt")
    assert (files_below(bucket), (bucket / "c.txt").read_text()) == (["c.txt"], "other")
    (bucket / "c.txt").unlink()
    (bucket / "c.txt").unlink(missing_ok=True)
    assert files_below(bucket) == []


def test_a_file_that_was_renamed_along_with_another_is_no_error(bucket):
    bucket.mkdir()
    (bucket / "b").write_text("x")
    (bucket / "gone").rename(bucket / "b")
    assert (bucket / "b").read_text() == "x"
    with pytest.raises(FileNotFoundError, match="ram://test_gfile_path/gone"):
        (bucket / "gone").rename(bucket / "c")


def test_an_empty_file_is_renamed(bucket):
    bucket.mkdir()
    (bucket / "a").write_text("")
    (bucket / "a").rename(bucket / "b")
    assert (files_below(bucket), (bucket / "b").stat().st_size) == (["b"], 0)


def test_a_folder_is_copied_both_ways_and_removed(bucket, tmp_path):
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "z").write_bytes(bytes(range(256)) * 50_000)  # more than one block
    (tmp_path / "x" / "y" / "empty.txt").touch()
    (tmp_path / "x" / "empty").mkdir()
    copy_tree(tmp_path / "x", bucket / "x")
    copy_tree(bucket / "x", tmp_path / "back")
    assert files_below(bucket / "x") == files_below(tmp_path / "back") == ["y/empty.txt", "y/z"]
    assert (tmp_path / "back" / "y" / "z").read_bytes() == (tmp_path / "x" / "y" / "z").read_bytes()
    remove_tree(bucket / "x")
    remove_tree(bucket / "x")
    assert not (bucket / "x").exists()


def test_what_is_missing(bucket):
    for call in (bucket.stat, bucket.unlink, bucket.read_text, lambda: list(bucket.iterdir())):
        with pytest.raises(FileNotFoundError, match="ram://test_gfile_path"):
            call()
    bucket.mkdir()
    (bucket / "file").write_text("x")
    with pytest.raises(NotADirectoryError, match="ram://test_gfile_path/file is no folder"):
        list((bucket / "file").iterdir())


UNKNOWN = r"TensorFlow has no file system {}://, only file://, gs://, ram://.*; tensorflow-io==0.34.0 brings s3://"


@pytest.mark.parametrize("scheme", ["nosuch", "s4"])
def test_a_scheme_that_tensorflow_does_not_know(scheme, write_models, stages):
    base = f"{scheme}://bucket/serving"
    with pytest.raises(OSError, match=UNKNOWN.format(scheme)):
        push(write_models("a"), base, stages=stages)
    with pytest.raises(OSError, match=UNKNOWN.format(scheme)):
        ReleaseStore(base).versions()
    with pytest.raises(UnreadableError, match=UNKNOWN.format(scheme)):
        ReleaseStore(base).pin()
    with pytest.raises((OSError, ReleaseError), match=UNKNOWN.format(scheme)):
        pin_release(base, 5)
