import resource

import numpy as np
import pytest

from trainer.data.catalogue_misses import CatalogueMisses
from trainer.data.input import ParsedBatch
from trainer.data.packed.record_file import DamagedRecordsError, read_records, write_records
from trainer.whole_file import left_overs


def batch(first: int, num_requests: int) -> ParsedBatch:
    user = np.arange(first, first + num_requests, dtype=np.int32)
    requests = {
        "user": user,
        "candidate_item": user[:, np.newaxis] * np.array([1, 10], np.int32),
        "where": user[:, np.newaxis] % 2 == np.arange(3),
        "labels": (user / 4).astype(np.float32),
    }
    return ParsedBatch(requests, CatalogueMisses(num_requests, 1, 3 * num_requests, 2), 100)


BATCHES = (batch(0, 4), batch(4, 4), batch(8, 1))


def assert_are_the_batches(requests, misses):
    assert requests["user"].tolist() == list(range(9))
    for name in BATCHES[0].requests:
        expected = np.concatenate([each.requests[name] for each in BATCHES])
        np.testing.assert_array_equal(requests[name], expected, strict=True)
    assert misses == CatalogueMisses(9, 3, 27, 6)


def test_requests_come_back_as_they_were(tmp_path):
    assert_are_the_batches(*write_records(tmp_path, BATCHES))
    assert_are_the_batches(*read_records(tmp_path))


def test_a_request_is_one_record_of_the_file(tmp_path):
    write_records(tmp_path, BATCHES)
    assert (tmp_path / "requests.bin").stat().st_size == 9 * (4 + 2 * 4 + 3 + 4)


def test_arrays_are_on_the_disk_and_read_only(tmp_path):
    requests, _ = write_records(tmp_path, BATCHES)
    assert all(isinstance(values.base.base, np.memmap) for values in requests.values())
    with pytest.raises(ValueError, match="read-only"):
        requests["user"][0] = 1


def test_nothing_was_written(tmp_path):
    assert read_records(tmp_path) is None


def test_a_process_that_dies_leaves_nothing_that_counts(tmp_path):
    def dying():
        yield BATCHES[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_records(tmp_path, dying())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".requests.bin.123.tmp").write_bytes(b"half")
    (tmp_path / "requests.bin").write_bytes(b"without its index")
    assert read_records(tmp_path) is None
    assert_are_the_batches(*write_records(tmp_path, BATCHES))
    assert list(left_overs(tmp_path / "*")) == []


@pytest.mark.parametrize("name", ["requests.bin", "index.json"])
@pytest.mark.parametrize("position", [0.0, 0.3, 0.6, 0.99])
def test_every_byte_counts(tmp_path, name, position):
    write_records(tmp_path, BATCHES)
    content = bytearray((tmp_path / name).read_bytes())
    content[int(position * len(content))] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DamagedRecordsError):
        read_records(tmp_path)


def test_damage_is_described(tmp_path):
    write_records(tmp_path, BATCHES)
    path = tmp_path / "requests.bin"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DamagedRecordsError, match=r"requests\.bin must have 171 bytes\. Received: 170"):
        read_records(tmp_path)
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(DamagedRecordsError, match=r"requests\.bin has changed since it was written"):
        read_records(tmp_path)
    path.unlink()
    with pytest.raises(DamagedRecordsError, match=r"requests\.bin"):
        read_records(tmp_path)


def test_another_layout_is_noticed_even_if_it_fits(tmp_path):
    write_records(tmp_path, BATCHES)
    index = tmp_path / "index.json"
    index.write_text(index.read_text().replace("<f4", "<i4"))
    with pytest.raises(DamagedRecordsError, match="has changed since it was written"):
        read_records(tmp_path)


def test_who_has_mapped_the_requests_keeps_them(tmp_path):
    requests, misses = write_records(tmp_path, BATCHES)
    write_records(tmp_path, [batch(100, 9)])
    assert_are_the_batches(requests, misses)
    assert read_records(tmp_path)[0]["user"][0] == 100


def test_a_full_disk_leaves_what_was_there(tmp_path):
    write_records(tmp_path, BATCHES)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_records(tmp_path, [batch(0, 10_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_are_the_batches(*read_records(tmp_path))
    assert list(left_overs(tmp_path / "*")) == []
