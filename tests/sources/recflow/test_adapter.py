"""What the adapter makes of a hand-made day."""

import pickle
from pathlib import Path

import pytest

from sources.adapter import Record, Shard
from sources.reading import DataError
from sources.recflow import RecFlowAdapter


def read(folder, **arguments) -> list[Record]:
    adapter = RecFlowAdapter(folder.write(), **arguments)
    return list(adapter.read_requests(Shard(folder.day), folder.count))


def test_two_stage_record(folder) -> None:
    first, second = read(folder)
    assert first == {
        "request_id": ["1"],
        "user_id": ["4"],
        "device_id": ["9"],
        "age": [2],
        "gender": [1],
        "province": [30],
        "request_time_ms": [1_705_111_200_000],
        "history_item_id": ["5", "6"],
        "history_completion": [1, 3],  # 1600 of 5000 ms, 6000 of 6000 ms
        "history_age": [2, 0],  # 3 hours, less than one
        "candidate_item_id": ["11", "12", "13", "14", "15", "16"],
        "candidate_stage": [3, 3, 2, 1, 1, 0],
        "candidate_rank": [2, 1, 0, 0, 0, 0],
        "candidate_label": [28.0, 29.0, 7.0, 6.0, 6.0, 5.0],
    }
    assert "history_item_id" not in second
    assert second["candidate_label"] == [26.0]
    assert second["candidate_rank"] == [1]
    assert not folder.counted


def test_three_stage_record(folder) -> None:
    first, second = read(folder, lists="three_stage")
    assert first["candidate_item_id"] == ["12", "11", "13", "14", "15", "16"]
    assert first["candidate_stage"] == [4, 3, 2, 1, 1, 0]
    assert first["candidate_rank"] == [1, 0, 0, 0, 0, 0]
    assert first["candidate_label"] == [27.0, 8.0, 7.0, 6.0, 6.0, 5.0]
    assert second["candidate_label"] == [29.0]


def test_values_are_plain_python(folder) -> None:
    for record in read(folder):
        for name, values in record.items():
            assert {type(value) for value in values} <= {str, int, float}, name
            assert len({type(value) for value in values}) == 1, name


def test_shards_together_are_the_day(folder) -> None:
    adapter = RecFlowAdapter(folder.write())
    whole = [record["request_id"] for record in adapter.read_requests(Shard(folder.day), folder.count)]
    parts = [
        record["request_id"]
        for index in range(2)
        for record in adapter.read_requests(Shard(folder.day, index, 2), folder.count)
    ]
    assert whole == parts == [["1"], ["2"]]


def test_days_files_and_shards(folder) -> None:
    folder.write()
    folder.day = "2024-01-12"
    adapter = RecFlowAdapter(folder.write())
    assert adapter.days() == ("2024-01-12", "2024-01-13")
    assert [path.relative_to(folder.path).as_posix() for path in adapter.files(["2024-01-13"])] == [
        "all_stage/2024-01-13.feather",
        "seq_effective_50_dict/2024-01-13.pkl",
        "request_id_dict/2024-01-13.pkl",
    ]
    assert adapter.request_shards(adapter.days()) == (Shard("2024-01-12"), Shard("2024-01-13"))


def test_travels_to_workers(folder) -> None:
    adapter = RecFlowAdapter(str(folder.write()), history_size=3)
    assert pickle.loads(pickle.dumps(adapter)) == adapter
    assert adapter.data_dir == folder.path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lists": "four_stage"}, "`lists` must be one of two_stage, three_stage. Received: lists='four_stage'"),
        ({"history_size": 0}, "`history_size` must be at least 1. Received: history_size=0"),
        ({"time_zone": "Mars/Base"}, "`time_zone` must be an IANA time zone such as 'Asia/Shanghai'. Received"),
        ({"time_zone": "Asia"}, "`time_zone` must be an IANA time zone such as 'Asia/Shanghai'. Received"),
        ({"time_zone": "../Base"}, "`time_zone` must be an IANA time zone such as 'Asia/Shanghai'. Received"),
    ],
)
def test_refuses_arguments(tmp_path: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match="Received") as caught:
        RecFlowAdapter(tmp_path, **arguments)
    assert message in str(caught.value)


def test_no_days(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all_stage: no <day>.feather file is there"):
        RecFlowAdapter(tmp_path).days()


@pytest.mark.parametrize("name", ["today", "20240113", "2024-13-01"])
def test_day_names(folder, name: str) -> None:
    folder.day = name
    with pytest.raises(DataError, match=f"{name}.feather: the name must be an ISO day"):
        RecFlowAdapter(folder.write()).days()
