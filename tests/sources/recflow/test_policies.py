"""Flawed but usable data: every policy, its result and its count."""

import pandas as pd
import pytest

from sources.adapter import Record, Shard
from sources.recflow import RecFlowAdapter


def read(folder, **arguments) -> list[Record]:
    adapter = RecFlowAdapter(folder.write(), **arguments)
    return list(adapter.read_requests(Shard(folder.day), folder.count))


def test_duplicate_request_keeps_the_first_row(folder) -> None:
    repeated = folder.frame.iloc[:1].assign(age=6)
    folder.frame = pd.concat([folder.frame, repeated], ignore_index=True)
    records = read(folder)
    assert [record["age"] for record in records] == [[2], [2]]
    assert folder.counted == {"duplicate_request": 1}


def test_duplicate_candidate_stays_in_the_deepest_stage(folder) -> None:
    folder.candidates[1]["prerank_neg"] = folder.candidate_rows(16, 11, 16)
    first = read(folder)[0]
    assert first["candidate_item_id"] == ["11", "12", "13", "14", "15", "16"]
    assert folder.counted == {"duplicate_candidate": 2}


def test_missing_rank_index_goes_behind_its_peers(folder) -> None:
    folder.frame = folder.frame[folder.frame["video_id"] != 11].reset_index(drop=True)
    first = read(folder)[0]
    assert first["candidate_label"][:3] == [8.0, 29.0, 7.0]
    assert first["candidate_rank"][:3] == [0, 1, 0]
    assert folder.counted == {"missing_rank_index": 1}


def test_rank_index_below_the_negatives_is_raised(folder) -> None:
    folder.frame.loc[0, "rank_index"] = 300
    first = read(folder)[0]
    assert first["candidate_label"][:3] == [8.0, 29.0, 7.0]
    assert first["candidate_rank"][:3] == [2, 1, 0]
    assert folder.counted == {"rank_index_below_negatives": 1}


def test_first_of_several_rank_rows_counts(folder) -> None:
    repeated = folder.frame.iloc[:1].assign(rank_index=9)
    folder.frame = pd.concat([folder.frame, repeated], ignore_index=True)
    assert read(folder)[0]["candidate_label"][0] == 28.0


def test_only_ten_of_a_stage_are_taken(folder) -> None:
    folder.candidates[1]["coarse_neg"] = folder.candidate_rows(*range(20, 40))
    assert read(folder)[0]["candidate_item_id"][3:13] == [str(video) for video in range(20, 30)]


@pytest.mark.parametrize("candidates", [None, {}, {"realshow": "rows"}, {"rank_pos": "empty"}])
def test_request_without_candidates_is_dropped(folder, candidates) -> None:
    arrays = {"rows": folder.candidate_rows(12), "empty": folder.candidate_rows(12)[:0]}
    if candidates is None:
        del folder.candidates[2]
    else:
        folder.candidates[2] = {stage: arrays[rows] for stage, rows in candidates.items()}
    assert [record["request_id"] for record in read(folder)] == [["1"]]
    assert folder.counted == {"request_without_candidates": 1}


def test_request_without_ground_truth_is_kept(folder) -> None:
    del folder.candidates[1]["rank_pos"]
    assert read(folder)[0]["candidate_stage"] == [2, 1, 1, 0]
    assert folder.counted == {"request_without_ground_truth": 1}


def test_candidates_without_context_are_ignored(folder) -> None:
    folder.candidates[99] = folder.candidates[2]
    assert len(read(folder)) == 2
    assert folder.counted == {"request_without_context": 1}


def test_missing_history_is_empty(folder) -> None:
    del folder.histories[1]
    assert "history_item_id" not in read(folder)[0]
    assert folder.counted == {"missing_history": 1}


def test_long_history_keeps_the_latest(folder) -> None:
    events = [(video, folder.REQUEST_MS - 1000 + video, 0) for video in range(1, 61)]
    folder.histories[1] = folder.history_rows(*events, size=60)
    assert read(folder)[0]["history_item_id"] == [str(video) for video in range(11, 61)]
    assert folder.counted == {"truncated_history": 1}
    folder.counted.clear()
    assert read(folder, history_size=2)[0]["history_item_id"] == ["59", "60"]
    assert folder.counted == {"truncated_history": 1}


def test_unordered_history_is_sorted(folder) -> None:
    now = folder.REQUEST_MS
    folder.histories[1] = folder.history_rows((5, now - 1, 0), (6, now - 3, 0), (7, now - 2, 0))
    assert read(folder)[0]["history_item_id"] == ["6", "7", "5"]
    assert folder.counted == {"unordered_history": 1}


def test_events_at_or_after_the_request_are_dropped(folder) -> None:
    now = folder.REQUEST_MS
    folder.histories[1] = folder.history_rows((5, now - 1, 0), (6, now, 0), (7, now + 1, 0))
    assert read(folder)[0]["history_item_id"] == ["5"]
    assert folder.counted == {"future_history_event": 2}


def test_history_age_and_completion(folder) -> None:
    hours = [10**5, 63, 62, 1]
    watched = [599, 600, 299, 300]
    events = [
        (1, folder.REQUEST_MS - hour * folder.HOUR_MS, playing) for hour, playing in zip(hours, watched, strict=True)
    ]
    folder.histories[1] = folder.history_rows(*events)
    first = read(folder)[0]
    assert first["history_age"] == [15, 6, 5, 1]
    assert first["history_completion"] == [1, 2, 0, 1]


def test_a_few_requests_outside_the_day_are_counted(folder) -> None:
    rows = [folder.logged(request, 12, rank_pos=1, rank_index=1) for request in range(200)]
    rows[0]["request_timestamp"] += 24 * folder.HOUR_MS
    folder.frame = folder.frame_of(*rows)
    folder.candidates = {request: folder.candidates[2] for request in range(200)}
    folder.histories = {request: folder.history_rows() for request in range(200)}
    assert len(read(folder)) == 200
    assert folder.counted == {"request_outside_day": 1}
