"""Builds the request records of one RecFlow day."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from sources.adapter import Count, Record
from sources.recflow.contexts import Context, Contexts
from sources.recflow.files import Candidates, Histories
from sources.recflow.layout import GROUP_SIZE, MAX_INDEX, CandidateColumn, HistoryColumn, ListLayout

MS_PER_HOUR = 3_600_000
COMPLETION_SHARES = (0.3, 0.6, 1.0)
"""`history_completion` is how many of these shares of the video were watched, 0 to 3."""

MAX_HISTORY_AGE = 15


@dataclasses.dataclass(frozen=True)
class Day:
    """The checked files of one day.

    Args:
      contexts: requests in file order.
      histories: request id to `[n, 10]`.
      candidates: request id to stage to `[n, 8]`.
    """

    contexts: Contexts
    histories: Histories
    candidates: Candidates

    def records(
        self, index: int, count_shards: int, lists: ListLayout, history_size: int, count: Count
    ) -> Iterator[Record]:
        """Yields the request records of one shard of the day."""
        if index == 0:
            known = set(self.contexts.frame["request_id"])
            unknown = sum(request not in known for request in self.candidates)
            if unknown:
                count("request_without_context", unknown)
        for context in self.contexts.shard(index, count_shards):
            stages = self.candidates.get(context.request_id)
            candidates = _candidates(stages, context, self.contexts, lists, count) if stages else None
            if not candidates:
                count("request_without_candidates", 1)
                continue
            history = self.histories.get(context.request_id)
            if history is None:
                count("missing_history", 1)
                history = np.zeros((0, len(HistoryColumn)), np.int64)
            yield {**_context(context), **_history(history, context, history_size, count), **candidates}


def _context(context: Context) -> dict[str, list]:
    return {
        "request_id": [str(context.request_id)],
        "user_id": [str(context.user_id)],
        "device_id": [str(context.device_id)],
        "age": [context.age],
        "gender": [context.gender],
        "province": [context.province],
        "request_time_ms": [context.request_timestamp],
    }


def _history(rows: np.ndarray, context: Context, history_size: int, count: Count) -> dict[str, list]:
    """Returns the events before the request, oldest first, at most `history_size` of them."""
    rows = rows[rows[:, HistoryColumn.REQUEST_TIME_MS] > 0]
    past = rows[:, HistoryColumn.REQUEST_TIME_MS] < context.request_timestamp
    if not past.all():
        count("future_history_event", int((~past).sum()))
        rows = rows[past]
    times_ms = rows[:, HistoryColumn.REQUEST_TIME_MS]
    if (np.diff(times_ms) < 0).any():
        count("unordered_history", 1)
        rows = rows[np.argsort(times_ms, kind="stable")]
    if len(rows) > history_size:
        count("truncated_history", 1)
        rows = rows[-history_size:]
    if not len(rows):
        return {}
    duration_ms = rows[:, HistoryColumn.DURATION_MS]
    playing_ms = rows[:, HistoryColumn.PLAYING_TIME_MS]
    completion = sum(playing_ms >= share * duration_ms for share in COMPLETION_SHARES) * (duration_ms > 0)
    hours = (context.request_timestamp - rows[:, HistoryColumn.REQUEST_TIME_MS]) // MS_PER_HOUR
    age = np.minimum(np.floor(np.log2(hours + 1)), MAX_HISTORY_AGE).astype(np.int64)
    return {
        "history_item_id": _ids(rows[:, HistoryColumn.VIDEO]),
        "history_completion": completion.tolist(),
        "history_age": age.tolist(),
    }


def _candidates(
    stages: Mapping[str, np.ndarray], context: Context, contexts: Contexts, lists: ListLayout, count: Count
) -> dict[str, list] | None:
    """Returns the list of one request, deepest stage first; `None` if it has no item."""
    ranks = contexts.ranks.of(context.request_id)
    seen: set[int] = set()
    items: list[int] = []
    stage_of: list[int] = []
    labels: list[float] = []
    for depth, stage in enumerate(lists.stages):
        videos = stages[stage][:GROUP_SIZE, CandidateColumn.VIDEO].tolist() if stage in stages else []
        kept = [video for video in dict.fromkeys(videos) if video not in seen]
        if len(kept) < len(videos):
            count("duplicate_candidate", len(videos) - len(kept))
        if depth == 0:
            indices = [_index(ranks.get(video), lists.worst_index, count) for video in kept]
        else:
            indices = [lists.negative_indices[depth - 1]] * len(kept)
        seen.update(kept)
        items += kept
        stage_of += [len(lists.stages) - 1 - depth] * len(kept)
        labels += [float(MAX_INDEX - index) for index in indices]
    if not items:
        return None
    num_ground_truth = stage_of.count(len(lists.stages) - 1)
    if not num_ground_truth:
        count("request_without_ground_truth", 1)
    known = [ranks.get(video) for video in items[:num_ground_truth]]
    order = sorted(index for index in known if index is not None)
    rank = [0 if index is None else order.index(index) + 1 for index in known]
    return {
        "candidate_item_id": _ids(items),
        "candidate_stage": stage_of,
        "candidate_rank": rank + [0] * (len(items) - num_ground_truth),
        "candidate_label": labels,
    }


def _index(index: int | None, worst_index: int, count: Count) -> int:
    if index is None:
        count("missing_rank_index", 1)
        return worst_index
    if index > worst_index:
        count("rank_index_below_negatives", 1)
        return worst_index
    return index


def _ids(values: np.ndarray | list[int]) -> list[str]:
    return [str(value) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]
