import collections
import json
import pickle
from pathlib import Path

import pytest
import tensorflow as tf

from sources.adapter import Shard
from sources.reading import DataError
from sources.request_log import RequestLogAdapter

DAY, NEXT_DAY = "2024-01-13", "2024-01-14"


def example(request_id="r1", **features) -> bytes:
    values = {
        "request_id": [request_id],
        "user_id": ["u1"],
        "request_time_ms": [1_705_111_200_000],
        "activity": [0.5],
        "history_item_id": ["i1"],
        "candidate_item_id": ["i5", "i6", "i4", "i7", "i9", "i8"],
        "candidate_stage": [2, 2, 1, 1, 0, 0],
        "candidate_rank": [1, 2, 3, 4, 1, 2],
        "num_stages": [2],
        "release": [17],
        "fallback": [0],
    } | features
    message = tf.train.Example()
    for name, column in values.items():
        feature = message.features.feature[name]
        for value in column:
            if isinstance(value, str):
                feature.bytes_list.value.append(value.encode())
            elif isinstance(value, float):
                feature.float_list.value.append(value)
            else:
                feature.int64_list.value.append(value)
    return message.SerializeToString()


@pytest.fixture
def write(tmp_path):
    """Writes a file below the data folder: TFRecords of bytes or JSON lines."""

    def write(path: str, *records) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".gz"):
            with tf.io.TFRecordWriter(str(file), "GZIP") as writer:
                for record in records:
                    writer.write(record)
        else:
            file.write_text(
                "".join(record if isinstance(record, str) else json.dumps(record) + "\n" for record in records)
            )
        return file

    return write


@pytest.fixture
def adapter(tmp_path):
    return RequestLogAdapter(tmp_path)


def like(item_id, request_id="r1", label=1.0):
    return {"request_id": request_id, "item_id": item_id, "label": label}


def read(adapter, day=DAY):
    counts: collections.Counter[str] = collections.Counter()
    shards = adapter.request_shards([day])
    records = [
        record for shard in shards for record in adapter.read_requests(shard, lambda n, c: counts.update({n: c}))
    ]
    return records, dict(counts)


def test_feedback_is_joined(adapter, write):
    write(f"requests/{DAY}/a.tfrecord.gz", example())
    write(f"feedback/{DAY}/a.jsonl", like("i6"), like("i5", "another"), like("i4"), "\n")
    assert read(adapter) == (
        [
            {
                "request_id": ["r1"],
                "user_id": ["u1"],
                "request_time_ms": [1_705_111_200_000],
                "activity": [0.5],
                "history_item_id": ["i1"],
                "candidate_item_id": ["i6", "i5", "i4", "i7", "i9", "i8"],
                "candidate_stage": [3, 2, 1, 1, 0, 0],
                "candidate_rank": [1, 1, 3, 4, 1, 2],
                "candidate_label": [3.0, 2.0, 1.0, 1.0, 0.0, 0.0],
            }
        ],
        {"feedback_on_item_not_delivered": 1},
    )


def test_best_label_counts_and_orders_the_ground_truth(adapter, write):
    write(f"requests/{DAY}/a.tfrecord.gz", example())
    write(f"feedback/{DAY}/a.jsonl", like("i5", label=1), like("i6", label=0), like("i5", label=0.5))
    write(f"feedback/{DAY}/b.jsonl", like("i6", label=3))
    ((request,), _) = read(adapter)
    assert request["candidate_item_id"][:3] == ["i6", "i5", "i4"]
    assert request["candidate_stage"][:3] == [3, 3, 1]
    assert request["candidate_rank"][:3] == [1, 2, 3]
    assert request["candidate_label"][:3] == [5.0, 3.0, 1.0]


def test_a_label_of_0_is_no_ground_truth(adapter, write):
    write(f"requests/{DAY}/a.tfrecord.gz", example())
    write(f"feedback/{DAY}/a.jsonl", like("i6", label=0))
    ((request,), counts) = read(adapter)
    assert request["candidate_stage"] == [2, 2, 1, 1, 0, 0]
    assert counts == {"request_without_ground_truth": 1}


@pytest.mark.parametrize(("days", "stage"), [(0, 2), (1, 3)])
def test_late_feedback(tmp_path, write, days, stage):
    write(f"requests/{DAY}/a.tfrecord.gz", example())
    write(f"feedback/{DAY}/a.jsonl")
    late = write(f"feedback/{NEXT_DAY}/a.jsonl", like("i6"))
    write("catalogue/2024-01-01.jsonl", {"item_id": "i1"})
    adapter = RequestLogAdapter(tmp_path, late_feedback_days=days)
    assert max(read(adapter)[0][0]["candidate_stage"]) == stage
    assert (late in adapter.files([DAY])) == bool(days)


def test_the_best_of_each_stage_are_kept(tmp_path, write):
    write(f"requests/{DAY}/a.tfrecord.gz", example())
    write(f"feedback/{DAY}/a.jsonl", like("i6"))
    ((request,), counts) = read(RequestLogAdapter(tmp_path, group_size=1))
    assert request["candidate_item_id"] == ["i6", "i5", "i4", "i9"]
    assert counts == {"candidates_beyond_group_size": 2}


def test_answers_without_items_and_by_fallback(adapter, write):
    none = {"candidate_item_id": [], "candidate_stage": [], "candidate_rank": []}
    write(f"requests/{DAY}/a.tfrecord.gz", example("r1", **none), example("r2", fallback=[1], user_id=[]))
    write(f"feedback/{DAY}/a.jsonl", like("i5", "r2"))
    ((request,), counts) = read(adapter)
    assert (request["request_id"], request["user_id"]) == (["r2"], [""])
    assert counts == {"request_without_candidates": 1, "request_answered_by_fallback": 1}


def test_days_files_and_shards(adapter, write):
    logs = [write(f"requests/{DAY}/{number:02d}.tfrecord.gz", example(f"r{number}")) for number in range(20)]
    (adapter.data_dir / "requests" / DAY / ".x.tfrecord.gz.partial").write_bytes(b"not yet")
    write(f"requests/{NEXT_DAY}/a.tfrecord.gz", example())  # still being served: no feedback yet
    feedback = write(f"feedback/{DAY}/a.jsonl")
    for day in ("2024-01-01", "2024-01-12", "2024-01-15"):
        write(f"catalogue/{day}.jsonl", {"item_id": f"i-{day}"})
    catalogue = adapter.data_dir / "catalogue" / "2024-01-12.jsonl"
    assert adapter.days() == (DAY,)
    assert adapter.files([DAY]) == (feedback, *logs, catalogue)
    assert adapter.request_shards([DAY]) == tuple(Shard(DAY, index, 16) for index in range(16))
    assert sorted(record["request_id"][0] for record in read(adapter)[0]) == sorted(f"r{n}" for n in range(20))
    assert list(adapter.read_catalogue([DAY], lambda name, number: None)) == [{"item_id": ["i-2024-01-12"]}]
    assert pickle.loads(pickle.dumps(adapter)) == adapter


def test_catalogue(adapter, write):
    items = [{"item_id": "ü", "price": 2}, {"item_id": "i1", "price": 1.5, "brand": None}, {"item_id": "i0", "age": 3}]
    write(f"catalogue/{DAY}.jsonl", *items)
    assert list(adapter.read_catalogue([DAY], lambda name, number: None)) == [
        {"item_id": ["i0"], "age": [3]},
        {"item_id": ["i1"], "price": [1.5]},
        {"item_id": ["ü"], "price": [2.0]},
    ]


def test_the_newest_catalogue_needs_no_requests(adapter, write):
    with pytest.raises(DataError, match=r"catalogue: no <day>.jsonl file is there"):
        list(adapter.read_newest_catalogue(lambda name, number: None))
    for day in ("2024-01-14", "2024-01-15", "2023-12-31"):
        write(f"catalogue/{day}.jsonl", {"item_id": f"i-{day}"})
    assert list(adapter.read_newest_catalogue(lambda name, number: None)) == [{"item_id": ["i-2024-01-15"]}]
    write("catalogue/today.jsonl", {"item_id": "i1"})
    with pytest.raises(DataError, match=r"today.jsonl: the name must be an ISO day such as 2024-01-13.jsonl"):
        list(adapter.read_newest_catalogue(lambda name, number: None))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{bad\n", r"a.jsonl: line 2 must be a JSON object. Received: '\{bad'"),
        ("[1]\n", r"a.jsonl: line 2 must be a JSON object. Received: '\[1\]'"),
        ({"item_id": "i1", "label": 1}, "a.jsonl: line 2: `request_id` must be a string. Received: None"),
        (like(5), "a.jsonl: line 2: `item_id` must be a string. Received: 5"),
        (like("i5", label="yes"), "a.jsonl: line 2: `label` must be a number, at least 0. Received: 'yes'"),
        (like("i5", label=-1), "`label` must be a number, at least 0. Received: -1"),
        (like("i5", label=True), "`label` must be a number, at least 0. Received: True"),
        ('{"request_id": "r", "item_id": "i", "label": NaN}\n', "`label` must be a number, at least 0. Received: nan"),
    ],
)
def test_bad_feedback(adapter, write, line, message):
    write(f"requests/{DAY}/a.tfrecord.gz", example())
    write(f"feedback/{DAY}/a.jsonl", like("i5"), line)
    with pytest.raises(DataError, match=message):
        read(adapter)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"\xff\xff", r"a.tfrecord.gz: record 2: expected a tf.train.Example with text in UTF-8"),
        (example(request_id="x", user_id=["a", "b"]), r"record 2: `user_id` must be one str. Received: \['a', 'b'\]"),
        (example(request_time_ms=[]), r"record 2: `request_time_ms` must be one int. Received: \[\]"),
        (example(num_stages=["2"]), r"record 2: `num_stages` must be one int. Received: \['2'\]"),
        (example(candidate_rank=[1]), "record 2: the candidate lists must be of equal length. .*'rank': 1"),
    ],
)
def test_bad_requests(adapter, write, record, message):
    write(f"requests/{DAY}/a.tfrecord.gz", example(), record)
    write(f"feedback/{DAY}/a.jsonl")
    with pytest.raises(DataError, match=message):
        read(adapter)


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:30] + b"\0" + data[31:], lambda _: b"x"])
def test_damaged_log_file(adapter, write, damage):
    file = write(f"requests/{DAY}/a.tfrecord.gz", *(example(f"r{number}") for number in range(9)))
    write(f"feedback/{DAY}/a.jsonl")
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(DataError, match=rf"^{file}: expected a gzipped TFRecord file. Received: "):
        read(adapter)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], r"2024-01-13.jsonl: at least one item is expected. Received: none"),
        ([{"item_id": "i1"}, {"item_id": "i1"}], "line 2: an item must be listed once. Received: 'i1' twice"),
        ([{"item_id": ""}], "line 1: `item_id` must be a string. Received: ''"),
        ([{"item_id": "i1", "tags": ["a"]}], r"line 1: `tags` must be a string or a number. Received: \['a'\]"),
        (
            [{"item_id": "i1", "a": 1}, {"item_id": "i2", "a": "b"}],
            "line 2: `a` must be a number, as before. Received: 'b'",
        ),
    ],
)
def test_bad_catalogue(adapter, write, items, message):
    write(f"catalogue/{DAY}.jsonl", *items)
    with pytest.raises(DataError, match=message):
        list(adapter.read_catalogue([DAY], lambda name, number: None))


def test_missing_files(adapter, write):
    with pytest.raises(DataError, match="no day is in both requests/ and feedback/"):
        adapter.days()
    write("requests/today/a.tfrecord.gz", example())
    with pytest.raises(DataError, match="today: the name must be an ISO day such as 2024-01-13"):
        adapter.days()
    with pytest.raises(DataError, match=f"requests/{DAY}: no <name>.tfrecord.gz file is there"):
        adapter.request_shards([DAY])
    with pytest.raises(DataError, match=f"feedback/{DAY}: the folder is missing"):
        list(adapter.read_requests(Shard(DAY), lambda name, number: None))
    write("catalogue/2024-02-01.jsonl", {"item_id": "i1"})
    with pytest.raises(DataError, match=f"catalogue: no <day>.jsonl file of {DAY} or before is there"):
        list(adapter.read_catalogue([DAY], lambda name, number: None))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group_size": 0}, "`group_size` must be at least 1. Received: group_size=0"),
        ({"late_feedback_days": -1}, "`late_feedback_days` must not be negative. Received: late_feedback_days=-1"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        RequestLogAdapter("data", **options)
