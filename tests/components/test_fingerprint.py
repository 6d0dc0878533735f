import json
import os

import pytest

from components.example_gen.fingerprint import fingerprint
from sources.reading import DataError


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_text("12345")
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return paths


def test_describes_the_files(files):
    described = json.loads(fingerprint(files))
    assert (described["num_files"], described["total_bytes"]) == (2, 10)
    assert described["newest_mtime_s"] == 1_700_000_000
    assert fingerprint(files) == fingerprint(files[::-1])


def test_changes_with_size_time_and_name(files, tmp_path):
    before = fingerprint(files)
    os.utime(files[0], (1_700_000_001, 1_700_000_001))
    touched = fingerprint(files)
    files[0].write_text("123456")
    os.utime(files[0], (1_700_000_001, 1_700_000_001))
    longer = fingerprint(files)
    renamed = fingerprint([files[0].rename(tmp_path / "c"), files[1]])
    assert len({before, touched, longer, renamed}) == 4


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"missing.csv: expected a readable file. Received: No such file"):
        fingerprint([tmp_path / "missing.csv"])


def test_no_files():
    with pytest.raises(DataError, match=r"The data set has no files"):
        fingerprint([])
