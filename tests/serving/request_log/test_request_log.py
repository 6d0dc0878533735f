import collections
import logging
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tensorflow as tf
from patience import wait_until

from serving.request_log import RequestLog, ServedRequest
from serving.request_log.day_files import DayFiles

NOON_MS = 1_705_111_200_000  # 2024-01-13 02:00 UTC
HOUR_MS = 3_600_000


def served(request_id="r1", time_ms=NOON_MS, **fields) -> ServedRequest:
    example = tf.train.Example()
    feature = example.features.feature
    feature["request_id"].bytes_list.value.append(request_id.encode())
    feature["user_id"].bytes_list.value.append(b"u1")
    feature["request_time_ms"].int64_list.value.append(time_ms)
    feature["exclude_item_id"].bytes_list.value.append(b"i0")
    kept = tuple(tuple(f"i{n}".encode() for n in numbers) for numbers in ([9, 8, 7, 6, 5, 4], [5, 6, 4, 7]))
    return ServedRequest(
        **{
            "example": example,
            "kept": kept,
            "delivered": (b"i5", b"i6"),
            "num_stages": 2,
            "release": 17,
            "fallback": False,
            **fields,
        }
    )


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.tfrecord.gz"))


def examples(folder: Path) -> list[dict[str, list]]:
    records = tf.data.TFRecordDataset([str(path) for path in files(folder)], "GZIP").as_numpy_iterator()
    return [_values(tf.train.Example.FromString(record)) for record in records]


def _values(example):
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in example.features.feature.items()
    }


def test_what_is_logged(tmp_path):
    with RequestLog(tmp_path) as log:
        log.record(served())
    assert examples(tmp_path) == [
        {
            "request_id": [b"r1"],
            "user_id": [b"u1"],
            "request_time_ms": [NOON_MS],
            "exclude_item_id": [b"i0"],
            "candidate_item_id": [b"i5", b"i6", b"i4", b"i7", b"i9", b"i8"],
            "candidate_stage": [2, 2, 1, 1, 0, 0],
            "candidate_rank": [1, 2, 3, 4, 1, 2],
            "num_stages": [2],
            "release": [17],
            "fallback": [0],
        }
    ]
    assert (log.counts.sampled, log.counts.written, log.counts.dropped, log.counts.failed) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("fields", "stages"),
    [
        ({"kept": ()}, [2, 2]),  # one call
        ({"kept": ((b"i5", b"i6", b"i1"),), "fallback": True}, [2, 2, 0]),
        ({"kept": ((), ()), "delivered": ()}, None),
    ],
)
def test_other_answers(fields, stages):
    values = _values(served(**fields).logged(10))
    assert values.get("candidate_stage") == stages
    assert values["fallback"] == [int(fields.get("fallback", False))]


def test_items_passed_over_are_drawn_by_the_request_id():
    kept = (tuple(f"i{n}".encode() for n in range(100)), (b"i5", b"i6"))
    drawn = [_values(served(name, kept=kept).logged(3))["candidate_item_id"] for name in ("a", "a", "b")]
    assert [len(items) for items in drawn] == [5, 5, 5]
    assert drawn[0] == drawn[1] != drawn[2]
    assert _values(served(kept=kept).logged(0))["candidate_stage"] == [2, 2]


def test_the_sample_is_decided_by_the_request_id(tmp_path):
    ids = [f"r{number}" for number in range(400)]
    sampled = {}
    for rate, name in ((0.3, "a"), (0.3, "b"), (0.6, "c"), (0, "d")):
        with RequestLog(tmp_path / name, sample_rate=rate) as log:
            for request_id in ids:
                log.record(served(request_id))
        sampled[name] = {values["request_id"][0] for values in examples(tmp_path / name)}
    assert sampled["a"] == sampled["b"] < sampled["c"]
    assert 90 < len(sampled["a"]) < 150
    assert 210 < len(sampled["c"]) < 270
    assert sampled["d"] == set()


def test_days_are_those_of_the_request_in_the_time_zone(tmp_path):
    with RequestLog(tmp_path, time_zone="Asia/Shanghai") as log:
        for hours in (0, 13, 14, 13, 38, 2**40):  # local midnight is 14 hours later; there is no day after 2^40
            log.record(served(time_ms=NOON_MS + hours * HOUR_MS))
    assert [path.parent.name for path in files(tmp_path)] == ["2024-01-13", "2024-01-14", "2024-01-15"]
    assert (log.counts.written, log.counts.failed) == (5, 1)


def test_files_appear_whole_by_size_and_at_the_end(tmp_path):
    with RequestLog(tmp_path, max_file_bytes=1000, max_file_age_s=3600) as log:
        size = len(served().logged(10).SerializeToString())
        for number in range(2 * (1000 // size + 1) + 1):
            log.record(served(f"r{number}"))
        wait_until(lambda: len(list(tmp_path.glob("*/.*.partial"))) == 1 and len(files(tmp_path)) == 2)
        assert len(examples(tmp_path)) == 2 * (1000 // size + 1)
    assert len(files(tmp_path)) == 3
    assert list(tmp_path.glob("*/.*")) == []


def test_files_appear_by_age(tmp_path):
    with RequestLog(tmp_path, max_file_age_s=0.05) as log:
        log.record(served())
        wait_until(lambda: files(tmp_path))
        assert len(examples(tmp_path)) == 1


WRITER = """
import sys
from pathlib import Path
from serving.request_log.log_file import LogFile
file = LogFile(Path(sys.argv[1]) / "2024-01-13")
file.write(b"lost")
print("open", flush=True)
sys.stdin.read()
"""


def two_days_old(folder: Path) -> Path:
    """Returns the one partial file in a folder, which was written to two days ago."""
    (partial,) = folder.glob("*/.*.partial")
    os.utime(partial, (time.time() - 2 * 86_400,) * 2)
    return partial


def test_what_a_killed_process_left_goes_after_a_day(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], **pipes)
    try:
        assert writer.stdout.readline() == "open\n"
        two_days_old(tmp_path)
        with RequestLog(tmp_path) as log:
            log.record(served())
        assert len(list(tmp_path.glob("*/.*.partial"))) == 1  # a living process has it
    finally:
        writer.kill()
        writer.wait()
        writer.stdin.close()
        writer.stdout.close()
    (partial,) = tmp_path.glob("*/.*.partial")
    os.utime(partial)
    RequestLog(tmp_path).close()
    assert partial.exists()  # it may be that of another machine
    two_days_old(tmp_path)
    RequestLog(tmp_path).close()
    assert not partial.exists()
    assert len(examples(tmp_path)) == 1


def test_an_old_file_that_is_open_is_published(tmp_path):
    with RequestLog(tmp_path) as log:
        log.record(served())
        wait_until(lambda: list(tmp_path.glob("*/.*.partial")))
        two_days_old(tmp_path)
        RequestLog(tmp_path).close()
    assert log.counts.written == len(examples(tmp_path)) == 1
    assert list(tmp_path.glob("*/.*")) == []


def test_nothing_is_taken_above_the_total_size(tmp_path):
    with RequestLog(tmp_path, max_file_bytes=1, max_total_bytes=1) as log:
        for number in range(3):
            log.record(served(f"r{number}"))
    assert (log.counts.written, log.counts.dropped) == (1, 2)
    with RequestLog(tmp_path, max_total_bytes=1) as log:
        log.record(served("r4"))
    assert (log.counts.written, log.counts.dropped) == (0, 1)


def test_a_full_queue_and_a_closed_log_drop_and_count(tmp_path, monkeypatch):
    may_write, logged = threading.Event(), ServedRequest.logged
    monkeypatch.setattr(ServedRequest, "logged", lambda *arguments: may_write.wait() and logged(*arguments))
    with RequestLog(tmp_path, queue_size=1) as log:
        for number in range(500):
            log.record(served(f"r{number}"))
        dropped = log.counts.dropped
        may_write.set()
    assert dropped in (498, 499)  # one waited, and the thread may have taken one
    log.record(served("late"))
    log.close()
    assert log.counts.sampled == 501
    assert log.counts.written == len(examples(tmp_path)) == 501 - log.counts.dropped
    assert log.counts.dropped in (499, 500)
    assert b"late" not in {values["request_id"][0] for values in examples(tmp_path)}


def test_a_disk_that_takes_nothing_is_counted_and_told(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING), RequestLog(tmp_path / "file") as log:
        log.record(served())
    assert (log.counts.written, log.counts.failed) == (0, 1)
    assert "1 requests of 2024-01-13 are lost: [Errno 20] Not a directory" in caplog.text


def fate(log: RequestLog) -> tuple[int, int, int]:
    return log.counts.written, log.counts.dropped, log.counts.failed


def test_files_that_are_cleared_away_meanwhile_are_not_counted_as_space(tmp_path):
    with RequestLog(tmp_path, max_file_bytes=1, max_total_bytes=1) as log:
        (tmp_path / "2024-01-12").mkdir()
        (tmp_path / "2024-01-12" / "gone.tfrecord.gz").symlink_to("nowhere")  # listed, and not there to be measured
        log.record(served("r1"))
        log.record(served("r2"))
        wait_until(lambda: sum(fate(log)) == 2)
        files(tmp_path)[-1].unlink()
        log.record(served("r3"))
    assert fate(log) == (2, 1, 0)


def test_a_file_that_cannot_even_be_removed_is_counted_and_told(tmp_path, caplog):
    counts = collections.Counter()
    sizes = {"max_file_bytes": 100, "max_file_age_s": 60, "max_total_bytes": 1000}
    days = DayFiles(tmp_path, **sizes, count=lambda name, number: counts.update({name: number}))
    days.write("2024-01-13", b"1")
    shutil.rmtree(tmp_path / "2024-01-13")
    (tmp_path / "2024-01-13").write_text("in the way")
    days.write("2024-01-13", b"2")
    days.write("2024-01-14", b"3")
    days.publish_all()
    assert counts == {"failed": 2, "written": 1}
    assert "2 requests of 2024-01-13 are lost: [Errno 20] Not a directory" in caplog.text


def test_no_descriptors_are_left(tmp_path, caplog):
    with RequestLog(tmp_path, max_file_bytes=1) as log:
        log.record(served("r1"))
        wait_until(lambda: log.counts.written == 1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))  # one, and two would be needed
        try:
            log.record(served("r2"))
            wait_until(lambda: sum(fate(log)) == 2)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        log.record(served("r3"))
    assert fate(log) == (2, 0, 1)
    assert "1 requests of 2024-01-13 are lost: " in caplog.text
    assert "Too many open files" in caplog.text
    assert list(tmp_path.glob("*/.*")) == []


def test_requests_that_cannot_be_written_are_counted_and_told_once(tmp_path, caplog):
    timeless = served("r3")
    timeless.example.features.feature.pop("request_time_ms")
    with RequestLog(tmp_path, queue_size=4) as log:
        for request in (served("r1", kept=((5, 6),)), served("r2", kept=((7,),)), timeless, served("r4")):
            log.record(request)
    assert fate(log) == (1, 0, 3)
    assert [record.message for record in caplog.records] == [
        "A request cannot be logged; others like it are only counted"
    ]
    assert "TypeError" in caplog.text


def test_files_that_are_never_old(tmp_path):
    with RequestLog(tmp_path, max_file_age_s=float("inf")) as log:
        log.record(served())
    assert fate(log) == (1, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_rate": 1.5}, "`sample_rate` must be from 0 to 1. Received: sample_rate=1.5"),
        ({"passed_over": -1}, "`passed_over` must not be negative. Received: passed_over=-1"),
        ({"queue_size": 0}, "`queue_size` must be positive. Received: queue_size=0"),
        ({"max_total_bytes": 0}, "`max_total_bytes` must be positive. Received: max_total_bytes=0"),
        ({"max_file_age_s": float("nan")}, "`max_file_age_s` must be positive. Received: max_file_age_s=nan"),
        ({"time_zone": "Mars"}, "`time_zone` must be an IANA time zone such as 'Asia/Shanghai'. .*'Mars'"),
    ],
)
def test_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        RequestLog(tmp_path, **arguments)
