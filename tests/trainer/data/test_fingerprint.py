import os
import time

import pytest

from trainer.data.fingerprint import Fingerprint, files_hash

RUN = Fingerprint({"config": "a", "requests": "b"})


def test_the_same_parts_give_the_same_folder(tmp_path):
    folder = RUN.folder(tmp_path, pytest.fail)
    assert folder == Fingerprint({"requests": "b", "config": "a"}).folder(tmp_path, pytest.fail)
    assert len(folder.name) == 16


def test_what_differs_from_the_last_one_is_told(tmp_path):
    folder = RUN.folder(tmp_path, pytest.fail)
    changes: list[list[str]] = []
    other = Fingerprint({"config": "a", "requests": "c", "source": "d"}).folder(tmp_path, changes.append)
    assert other != folder
    assert changes == [["requests", "source"]]


def test_folders_left_alone_for_two_weeks_are_removed(tmp_path):
    old, recent = (Fingerprint({"config": name}).folder(tmp_path) for name in ("old", "recent"))
    os.utime(old, (0, time.time() - 15 * 24 * 3600))
    os.utime(recent, (0, time.time() - 13 * 24 * 3600))
    folder = RUN.folder(tmp_path)
    assert set(tmp_path.iterdir()) == {recent, folder}


def test_files_are_known_by_content_and_order(tmp_path):
    paths = [str(tmp_path / name) for name in "abc"]
    for path, content in zip(paths, (b"12", b"3", b"12"), strict=True):
        with open(path, "wb") as file:
            file.write(content)
    one, two, three = paths
    assert files_hash([one, two]) == files_hash([three, two])
    assert len({files_hash(files) for files in ([], [one], [one, two], [two, one])}) == 4
