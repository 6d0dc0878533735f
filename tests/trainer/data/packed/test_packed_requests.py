import ast
import dataclasses
import fcntl
import inspect
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from patience import wait_until

from trainer.data.features import EncodedFeature, FeatureSpec, HistoryFeature
from trainer.data.input import read_requests
from trainer.data.packed.packed_requests import CODE, PackedRequestsError, packed_requests

FEATURES = FeatureSpec(history=(HistoryFeature("grade", 3),), history_size=3, list_size=4, ground_truth_stage=2)
USER = EncodedFeature("user", 100, 4)
ITEM_IDS = (b"a", b"b", b"c")
SIZES = (5, 1, 3)


def example(user: int) -> bytes:
    values = {"user": [user], "request_day": [19_000], "candidate_stage": [2, 0], "candidate_rank": [1, 0]}
    feature = {name: tf.train.Feature(int64_list=tf.train.Int64List(value=value)) for name, value in values.items()}
    item_ids = [ITEM_IDS[user % 3], b"?"]
    feature["candidate_item_id"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=item_ids))
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def write(folder: Path, first_user: int = 0) -> list[str]:
    paths, user = [], first_user
    for number, size in enumerate(SIZES):
        paths.append(str(folder / f"requests-{number}.gz"))
        with tf.io.TFRecordWriter(paths[-1], "GZIP") as writer:
            for _ in range(size):
                writer.write(example(user))
                user += 1
    return paths


@pytest.fixture
def files(tmp_path):
    (tmp_path / "input").mkdir()
    return write(tmp_path / "input")


@pytest.fixture
def pack(tmp_path):
    """Packs, and returns requests, misses and the first words of each line but those about speed, of a slow machine."""

    def pack(files, features=FEATURES, request_features=(USER,), item_ids=ITEM_IDS):
        lines = pack.lines = []

        def report(line):
            if not line.startswith("packing "):
                lines.append(" ".join(line.split()[:3]))

        found = packed_requests(
            str(tmp_path / "packed"),
            "requests",
            files,
            features,
            request_features,
            item_ids,
            report=report,
        )
        return *found, lines

    return pack


def test_packed_requests_are_those_of_memory(pack, files):
    requests, misses, lines = pack(files)
    expected, expected_misses = read_requests(files, FEATURES, (USER,), ITEM_IDS)
    assert requests.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(requests[name], values, strict=True)
    assert sorted(requests["user"]) == list(range(9))
    assert misses == expected_misses
    assert (misses.num_candidates, misses.num_unknown_candidates) == (18, 9)
    assert lines == ["packed 9 requests"]


def test_the_second_run_finds_what_the_first_one_packed(pack, files):
    requests, misses, _ = pack(files)
    again, misses_again, lines = pack(files)
    assert lines == ["found 9 requests"]
    assert misses_again == misses
    assert [again[name].tobytes() for name in again] == [requests[name].tobytes() for name in requests]


@pytest.mark.parametrize(
    "change",
    [
        {"features": dataclasses.replace(FEATURES, list_size=3)},
        {"features": dataclasses.replace(FEATURES, history=(HistoryFeature("grade", 4),))},
        {"request_features": ()},
        {"item_ids": (b"a", b"c", b"b")},
    ],
)
def test_whatever_changes_the_arrays_packs_anew(pack, files, change):
    pack(files)
    assert pack(files, **change)[2] == ["packed 9 requests"]
    assert pack(files)[2] == ["found 9 requests"]


def test_widths_of_embeddings_do_not(pack, files):
    pack(files)
    features = dataclasses.replace(FEATURES, history=(HistoryFeature("grade", 3, embedding_dim=32),))
    assert pack(files, features, (dataclasses.replace(USER, embedding_dim=64),))[2] == ["found 9 requests"]


def test_files_count_by_their_content(pack, files, tmp_path):
    pack(files)
    (tmp_path / "copy").mkdir()
    copies = [str(Path(path).rename(tmp_path / "copy" / Path(path).name)) for path in files]
    assert pack(copies)[2] == ["found 9 requests"]
    write(tmp_path / "copy", first_user=20)
    requests, _, lines = pack(copies)
    assert lines == ["packed 9 requests"]
    assert sorted(requests["user"]) == list(range(20, 29))


def test_damaged_requests_are_packed_anew(pack, files, tmp_path):
    requests, _, _ = pack(files)
    expected = requests["user"].tolist()
    (path,) = tmp_path.glob("packed/*/requests.bin")
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    path.unlink()  # what is mapped stays
    path.write_bytes(content)
    again, _, lines = pack(files)
    assert lines == ["warning: packs damaged", "packed 9 requests"]
    assert again["user"].tolist() == expected
    assert pack(files)[2] == ["found 9 requests"]


def test_a_full_disk_is_one_clear_error(pack, files, tmp_path):
    many = files * 400
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        message = (
            rf"The requests cannot be packed in {tmp_path}/packed: File too large\. "
            r"Mend that, or name another folder, and run again"
        )
        with pytest.raises(PackedRequestsError, match=message):
            pack(many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert pack(many)[2] == ["packed 3,600 requests"]


def test_a_folder_that_is_none_is_named(pack, files, tmp_path):
    (tmp_path / "packed").write_text("a file")
    with pytest.raises(PackedRequestsError, match=rf"cannot be packed in {tmp_path}/packed: "):
        pack(files)


def test_old_ones_are_removed(pack, files, tmp_path):
    pack(files)
    (old,) = (tmp_path / "packed").iterdir()
    os.utime(old, (0, time.time() - 15 * 24 * 3600))
    pack(files, request_features=())
    assert not old.exists()


def test_a_run_waits_for_another_that_packs(pack, files, tmp_path):
    pack(files)
    (folder,) = (tmp_path / "packed").iterdir()
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(pack, files)
        wait_until(lambda: waiting.done() or "waits for another" in pack.lines)
        assert not waiting.done()
        os.close(held)
        assert waiting.result()[2] == ["waits for another", "found 9 requests"]


def test_all_code_that_decides_the_arrays_counts():
    """What the modules import of `trainer` counts too, or is named here because it only carries names and types."""
    no_arrays = {
        "trainer.data.features",
        "trainer.data.item_table",
        "trainer.data.preprocessing",
        "trainer.config.json_text",
    }
    no_arrays |= {"trainer.whole_file"}
    names = {module.__name__ for module in CODE}
    imported = {
        node.module
        for module in CODE
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("trainer")
    }
    assert imported - no_arrays <= names
