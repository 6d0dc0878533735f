import collections
import dataclasses
import pickle
from pathlib import Path

import pytest

from components.example_gen.adapters import declare_adapter, load_adapter
from sources.adapter import Record, Shard
from sources.kuairand import KuaiRandAdapter
from sources.reading import DataError


def adapter(folder: Path, **options: object) -> KuaiRandAdapter:
    options = {"list_size": 4, "user_features": ("user_active_degree", "onehot_feat4")} | options
    return KuaiRandAdapter(folder, **options)


def read(data: KuaiRandAdapter, day: str) -> tuple[dict[str, Record], dict[str, int]]:
    counts: collections.Counter[str] = collections.Counter()
    requests = {}
    for shard in data.request_shards([day]):
        for request in data.read_requests(shard, lambda name, count: counts.update({name: count})):
            assert request["request_id"][0] not in requests
            requests[request["request_id"][0]] = request
    return requests, dict(counts)


def exposed(request: Record) -> list[tuple[str, int, float]]:
    rows = zip(request["candidate_item_id"], request["candidate_stage"], request["candidate_label"], strict=True)
    return [row for row in rows if row[1] > 0]


def test_request_of_a_real_day(parquet_dir: Path) -> None:
    requests, counts = read(adapter(parquet_dir), "2022-04-25")
    assert list(requests) == ["3-20220425-0", "7-20220425-0"]
    request = requests["7-20220425-0"]
    assert request["user_id"] == ["7"]
    assert request["request_time_ms"] == [1650844800000]  # 08:00 in Shanghai
    assert request["user_active_degree"] == ["full_active"]
    assert request["onehot_feat4"] == ["1.0"]
    assert request["history_item_id"] == ["0", "1", "2", "0"]
    assert request["history_grade"] == [1, 4, 3, 3]
    assert request["history_age_days"] == [1, 1, 1, 1]
    assert request["exclude_item_id"] == ["0", "1", "2"]
    assert exposed(request) == [("3", 1, 1.0), ("4", 2, 3.0)]
    assert request["candidate_rank"] == [0, 0, 0, 0]
    assert counts == {"repeated_exposures_merged": 1, "exposures_of_unknown_videos_dropped": 1}


def test_declared_in_json(parquet_dir: Path) -> None:
    options = {"data_dir": str(parquet_dir), "list_size": 4, "user_features": ["user_active_degree", "onehot_feat4"]}
    data = load_adapter(declare_adapter("kuairand", options))
    assert data == adapter(parquet_dir)
    request = next(iter(data.read_requests(Shard("2022-04-25"), lambda name, count: None)))
    assert (request["user_active_degree"], request["onehot_feat4"]) == (["UNKNOWN"], ["UNKNOWN"])


def test_negatives_are_unexposed(parquet_dir: Path) -> None:
    request = read(adapter(parquet_dir, list_size=20), "2022-04-25")[0]["7-20220425-0"]
    negatives = [
        item for item, stage in zip(request["candidate_item_id"], request["candidate_stage"], strict=True) if stage == 0
    ]
    assert sorted(negatives) == sorted(str(video) for video in range(5, 12))  # all that are left of 12
    assert request["candidate_label"][2:] == [0.0] * 7


def test_missing_user_feature_is_unknown(parquet_dir: Path) -> None:
    request = read(adapter(parquet_dir), "2022-04-25")[0]["3-20220425-0"]
    assert request["onehot_feat4"] == ["UNKNOWN"]


def test_user_without_features_is_unknown_and_counted(parquet_dir: Path) -> None:
    requests, counts = read(adapter(parquet_dir), "2022-04-27")
    assert requests["8-20220427-0"]["user_active_degree"] == ["UNKNOWN"]
    assert counts == {"users_without_features": 1}


def test_empty_lists_are_absent(parquet_dir: Path) -> None:
    request = read(adapter(parquet_dir), "2022-04-27")[0]["8-20220427-0"]
    assert not {"history_item_id", "history_grade", "history_age_days", "exclude_item_id"} & request.keys()


def test_long_day_is_split_and_loses_nothing(parquet_dir: Path) -> None:
    requests, counts = read(adapter(parquet_dir), "2022-04-26")
    assert [exposed(request) for request in requests.values()] == [
        [("5", 1, 4.0), ("6", 2, 3.0)],
        [("7", 2, 3.0), ("3", 1, 1.0)],
    ]
    first, second = requests.values()
    for name in ("history_item_id", "exclude_item_id", "request_time_ms", "user_id"):
        assert first[name] == second[name]
    assert first["exclude_item_id"] == ["0", "1", "2", "3", "4"]
    assert counts == {"user_days_split_into_lists": 1}


def test_timeless_exposures_are_chunked_with_the_earlier_ones_as_history(parquet_dir: Path) -> None:
    requests, counts = read(adapter(parquet_dir), "2022-04-24")
    assert sorted(requests) == ["3-20220424-0", "7-20220424-0", "7-20220424-1"]
    first, second = requests["7-20220424-0"], requests["7-20220424-1"]
    assert exposed(first) == [("0", 1, 1.0), ("1", 2, 4.0)]
    assert "history_item_id" not in first
    assert exposed(second) == [("2", 2, 3.0), ("0", 2, 3.0)]  # seen before and exposed again
    assert second["history_item_id"] == ["0", "1"]
    assert second["history_age_days"] == [0, 0]
    assert second["exclude_item_id"] == ["0", "1"]
    assert first["request_time_ms"] == [1650729600000]  # midnight in Shanghai
    assert counts == {"user_days_split_into_lists": 1}


def test_history_keeps_the_latest(parquet_dir: Path) -> None:
    request = read(adapter(parquet_dir, history_size=2), "2022-04-26")[0]["7-20220426-0"]
    assert request["history_item_id"] == ["3", "4"]
    assert request["history_grade"] == [1, 3]
    assert request["exclude_item_id"] == ["0", "1", "2", "3", "4"]


def test_official_files(official_dir: Path) -> None:
    data = adapter(official_dir)
    assert (data.days()[0], data.days()[-1], len(data.days())) == ("2022-04-08", "2022-05-08", 31)
    request = read(data, "2022-04-21")[0]["7-20220421-0"]
    assert exposed(request) == [("2", 1, 2.0)]
    assert (request["history_item_id"], request["history_grade"]) == (["1"], [4])
    assert request["history_age_days"] == [13]
    request = read(data, "2022-04-25")[0]["7-20220425-0"]
    assert exposed(request) == [("3", 1, 1.0), ("4", 2, 3.0)]
    assert request["history_item_id"] == ["1", "2"]


def test_random_log(official_dir: Path) -> None:
    request = read(adapter(official_dir, random_log=True, list_size=8), "2022-04-25")[0]["7-20220425-0"]
    assert exposed(request) == [("8", 2, 3.0), ("3", 1, 1.0), ("4", 2, 3.0)]


def test_same_shard_reads_the_same_and_another_seed_does_not(parquet_dir: Path) -> None:
    data = adapter(parquet_dir, list_size=8)
    assert read(data, "2022-04-26") == read(pickle.loads(pickle.dumps(data)), "2022-04-26")
    assert read(data, "2022-04-26") != read(dataclasses.replace(data, seed=1), "2022-04-26")


def test_a_changed_file_is_read_again(parquet_dir: Path) -> None:
    data = adapter(parquet_dir)
    read(data, "2022-04-25")
    (parquet_dir / "derived_train_last50_exposures.parquet").unlink()
    with pytest.raises(DataError, match=r"last50_exposures.parquet is missing"):
        read(data, "2022-04-25")


def test_files_are_those_that_the_days_need(parquet_dir: Path) -> None:
    names = [path.name for path in adapter(parquet_dir).files(["2022-04-24"])]
    assert names == [
        "derived_train_last50_exposures.parquet",
        "user_features_pure.csv",
        "video_features_basic_pure.csv",
    ]
    assert len(adapter(parquet_dir).files(["2022-04-24", "2022-05-01"])) == 4


def test_catalogue(parquet_dir: Path) -> None:
    data = adapter(parquet_dir)
    items = list(data.read_catalogue(data.days(), lambda name, count: None))
    assert [item["item_id"][0] for item in items] == sorted(str(video) for video in range(12))
    assert items[0] == {
        "item_id": ["0"],
        "author_id": ["5"],
        "video_type": ["NORMAL"],
        "upload_type": ["Web"],
        "upload_time_ms": [1649520000000],
        "video_duration_ms": [0],
        "music_id": ["9"],
        "music_type": ["4.0"],
        "tag": ["39"],
        "tags": ["39,68"],
    }
    assert items[1]["tag"] == ["UNKNOWN"]
    assert list(data.read_newest_catalogue(lambda name, count: None)) == items


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"list_size": 0}, "`list_size` must be at least 1. Received: list_size=0"),
        ({"history_size": -1}, "`history_size` must be at least 1. Received: history_size=-1"),
        ({"popular_negatives": 1.0}, r"`popular_negatives` must lie in \[0, 1\). Received: popular_negatives=1.0"),
        ({"popular_negatives": 0.5, "uniform_negatives": 0.5}, "must leave room for an exposure in a list of 4"),
        ({"time_zone": "Asia/Nowhere"}, "`time_zone` must be an IANA time zone .* time_zone='Asia/Nowhere'"),
        ({"time_zone": "Asia"}, "`time_zone` must be an IANA time zone .* time_zone='Asia'"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adapter(tmp_path, **options)


def test_a_day_outside_the_data(parquet_dir: Path) -> None:
    with pytest.raises(DataError, match=r"holds 2022-04-24 to 2022-05-08. Received: day '2022-05-09'"):
        next(iter(adapter(parquet_dir).read_requests(Shard("2022-05-09"), lambda name, count: None)))


def test_an_empty_day(parquet_dir: Path) -> None:
    with pytest.raises(DataError, match=r"raw_columns.parquet must hold exposures on 2022-05-08. Received: none"):
        read(adapter(parquet_dir), "2022-05-08")
