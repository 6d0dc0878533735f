"""Unusable data: one error that names the file and the field, before anything is yielded."""

import numpy as np
import pytest

from sources.adapter import Shard
from sources.reading import DataError
from sources.recflow import RecFlowAdapter, layout


def error_of(folder, **arguments) -> str:
    adapter = RecFlowAdapter(folder.path, **arguments)
    with pytest.raises(DataError) as caught:
        next(iter(adapter.read_requests(Shard(folder.day), folder.count)))
    return str(caught.value)


@pytest.mark.parametrize("column", ["request_timestamp", "province", "rank_pos", "rank_index"])
def test_missing_column(folder, column: str) -> None:
    folder.frame = folder.frame.drop(columns=column)
    folder.write()
    assert error_of(folder).startswith(f"{folder.feather()}: column `{column}` is missing. Found: age, author_id")


@pytest.mark.parametrize(("dtype", "name"), [("float64", "double"), ("str", "string")])
def test_wrong_dtype(folder, dtype: str, name: str) -> None:
    folder.frame["user_id"] = folder.frame["user_id"].astype(dtype)
    folder.write()
    assert error_of(folder) == f"{folder.feather()}: column `user_id` must hold integers. Received: {name}"


def test_empty_cells(folder) -> None:
    folder.frame["age"] = folder.frame["age"].astype("Int64").where(folder.frame["video_id"] != 11)
    folder.write()
    assert error_of(folder) == f"{folder.feather()}: column `age` has 1 empty cells"


def test_empty_day(folder) -> None:
    folder.frame = folder.frame.iloc[:0]
    folder.write()
    assert error_of(folder) == f"{folder.feather()}: the day is empty, at least one row is expected"


def test_unknown_stage(folder) -> None:
    folder.candidates[2]["recall_pos"] = folder.candidate_rows(3)
    folder.write()
    assert error_of(folder) == (
        f"{folder.pickle(layout.CANDIDATES)}: unknown stage 'recall_pos' in request 2. Expected one of: "
        "realshow, rerank_pos, rerank_neg, rank_pos, rank_neg, coarse_neg, prerank_neg"
    )


@pytest.mark.parametrize("time_zone", ["UTC", "America/New_York"])
def test_wrong_zone(folder, time_zone: str) -> None:
    folder.frame["request_timestamp"] = 1_705_075_200_000 + folder.HOUR_MS
    folder.write()
    assert error_of(folder, time_zone=time_zone) == (
        f"{folder.feather()}: 2 of 2 requests lie outside 2024-01-13 in time zone {time_zone}; the first is request "
        "1 at request_timestamp=1705078800000 milliseconds. Is it another zone or another unit?"
    )


def test_wrong_unit(folder) -> None:
    folder.frame["request_timestamp"] //= 1000
    folder.write()
    assert "2 of 2 requests lie outside 2024-01-13 in time zone Asia/Shanghai" in error_of(folder)


@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ([1, 2], "expected a dict of requests. Received: list"),
        ({"1": 2}, "request ids must be integers. Received: str '1'"),
        ({1: np.zeros((50, 9), int)}, "shape [n, 10]. Received: int64 [50, 9]"),
        ({1: np.zeros(10, int)}, "shape [n, 10]. Received: int64 [10]"),
        ({1: np.zeros((50, 10))}, "history of request 1 must be an integer array of shape [n, 10]. Received: float64"),
        ({1: None}, "Received: NoneType"),
    ],
    ids=["list", "key", "columns", "rank", "float", "none"],
)
def test_bad_histories(folder, histories, message: str) -> None:
    folder.histories = histories
    folder.write()
    assert message in error_of(folder)
    assert error_of(folder).startswith(f"{folder.pickle(layout.HISTORIES)}: ")


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({1: np.zeros((1, 8), int)}, "request 1 must hold a dict of stages. Received: int64 [1, 8]"),
        ({1: {"rank_pos": np.zeros((2, 7), int)}}, "rank_pos of request 1 must be an integer array of shape [n, 8]"),
    ],
    ids=["array", "columns"],
)
def test_bad_candidates(folder, candidates, message: str) -> None:
    folder.candidates = candidates
    folder.write()
    assert message in error_of(folder)


@pytest.mark.parametrize("name", [layout.ALL_STAGE, layout.HISTORIES, layout.CANDIDATES])
@pytest.mark.parametrize("damage", ["missing", "halved", "scrambled", "emptied"])
def test_damaged_files(folder, name: str, damage: str) -> None:
    folder.write()
    path = folder.feather() if name == layout.ALL_STAGE else folder.pickle(name)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        damaged = {"halved": whole[: len(whole) // 2], "scrambled": whole[::-1], "emptied": b""}
        path.write_bytes(damaged[damage])
    kind = "feather file" if name == layout.ALL_STAGE else "pickle of arrays"
    expected = "the file is missing" if damage == "missing" else f"not a readable {kind}"
    assert error_of(folder).startswith(f"{path}: {expected}")


def test_hostile_candidates(folder) -> None:
    folder.candidates = {1: {"rank_pos": exec}}
    folder.write()
    assert "`builtins.exec` is refused" in error_of(folder)


def test_catalogue_names_the_damaged_file(folder) -> None:
    folder.write()
    path = folder.pickle(layout.HISTORIES)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="not a readable pickle") as caught:
        list(RecFlowAdapter(folder.path).read_catalogue([folder.day], folder.count))
    assert str(path) in str(caught.value)
