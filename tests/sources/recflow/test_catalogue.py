"""The catalogue of a hand-made day."""

from sources.recflow import RecFlowAdapter
from sources.recflow.catalogue import Catalogue


def test_records(folder) -> None:
    folder.candidates[2]["coarse_neg"] = folder.candidate_rows(100)
    records = list(RecFlowAdapter(folder.write()).read_catalogue([folder.day], folder.count))
    ids = [record["item_id"][0] for record in records]
    assert ids == ["100", "11", "12", "13", "14", "15", "16", "5", "6"]
    assert records[0] == {
        "item_id": ["100"],
        "author_id": ["1000"],
        "category_level_one": [0],
        "category_level_two": [2],
        "upload_type": [1],
        "upload_time_ms": [1_700_000_100_000],
        "duration": [100_000],
    }
    from_history = records[ids.index("6")]
    assert from_history["category_level_one"] == [1]
    assert from_history["category_level_two"] == [6]
    assert {type(value) for record in records for values in record.values() for value in values} == {str, int}
    assert not folder.counted


def test_the_newest_catalogue_is_that_of_all_days(folder) -> None:
    folder.write()
    folder.day = "2024-01-12"
    folder.candidates[2]["coarse_neg"] = folder.candidate_rows(100)
    records = list(RecFlowAdapter(folder.write()).read_newest_catalogue(folder.count))
    assert [record["item_id"][0] for record in records] == ["100", "11", "12", "13", "14", "15", "16", "5", "6"]


def test_unused_history_rows_are_no_items(folder) -> None:
    folder.histories = {1: folder.history_rows()}
    records = RecFlowAdapter(folder.write()).read_catalogue([folder.day], folder.count)
    assert "0" not in {record["item_id"][0] for record in records}


def test_conflicting_features_the_latest_win(folder) -> None:
    changed = folder.candidate_rows(11, 12)
    changed[:, 1] = 777
    folder.candidates[2]["rank_pos"] = changed
    records = list(RecFlowAdapter(folder.write()).read_catalogue([folder.day], folder.count))
    authors = {record["item_id"][0]: record["author_id"] for record in records}
    assert authors["11"] == ["777"]
    assert authors["13"] == ["130"]
    assert folder.counted == {"conflicting_item_features": 2}


def test_an_older_version_that_returns_is_the_latest(folder) -> None:
    old, new = folder.candidate_rows(11), folder.candidate_rows(11)
    new[:, 1] = 777
    catalogue = Catalogue()
    for rows in (old, new, old):
        catalogue.add_candidates({1: {"rank_pos": rows}})
    (record,) = catalogue.records(folder.count)
    assert record["author_id"] == ["110"]


def test_many_requests_are_merged_in_parts(folder, monkeypatch) -> None:
    candidates = {request: {"rank_pos": folder.candidate_rows(request)} for request in range(1, 8)}
    monkeypatch.setattr("sources.recflow.catalogue._ARRAYS_AT_ONCE", 3)
    catalogue = Catalogue()
    catalogue.add_candidates(candidates)
    assert [record["item_id"] for record in catalogue.records(folder.count)] == [[str(i)] for i in range(1, 8)]
