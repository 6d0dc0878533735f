"""Builds the catalogue records of RecFlow days."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from sources.adapter import Count, Record
from sources.recflow.files import Candidates, Histories
from sources.recflow.layout import ITEM_COLUMNS, CandidateColumn, HistoryColumn

MS_PER_S = 1000
_ARRAYS_AT_ONCE = 20_000

_FROM_HISTORY = [
    HistoryColumn.VIDEO,
    HistoryColumn.AUTHOR,
    HistoryColumn.CATEGORY_LEVEL_ONE,
    HistoryColumn.CATEGORY_LEVEL_TWO,
    HistoryColumn.UPLOAD_TYPE,
    HistoryColumn.UPLOAD_TIME_S,
    HistoryColumn.DURATION_MS,
]
_FROM_CANDIDATE = [
    CandidateColumn.VIDEO,
    CandidateColumn.AUTHOR,
    CandidateColumn.CATEGORY_LEVEL_ONE,
    CandidateColumn.CATEGORY_LEVEL_TWO,
    CandidateColumn.UPLOAD_TYPE,
    CandidateColumn.UPLOAD_TIME_S,
    CandidateColumn.DURATION_MS,
]


class Catalogue:
    """Every item seen so far, with every version of its features, the latest last."""

    def __init__(self) -> None:
        self._versions = pd.DataFrame({name: np.zeros(0, np.int64) for name in ITEM_COLUMNS})

    def add_histories(self, histories: Histories) -> None:
        rows = (history[history[:, HistoryColumn.REQUEST_TIME_MS] > 0] for history in histories.values())
        self._add(rows, _FROM_HISTORY)

    def add_candidates(self, candidates: Candidates) -> None:
        self._add((rows for stages in candidates.values() for rows in stages.values()), _FROM_CANDIDATE)

    def records(self, count: Count) -> Iterator[Record]:
        """Yields one record per item, ordered by item id; the latest features count."""
        items = self._versions.drop_duplicates("video_id", keep="last")
        num_conflicts = int(self._versions["video_id"].value_counts().gt(1).sum())
        if num_conflicts:
            count("conflicting_item_features", num_conflicts)
        items = items.assign(item_id=items["video_id"].astype(str)).sort_values("item_id")
        for item in items.itertuples(index=False):
            yield {
                "item_id": [item.item_id],
                "author_id": [str(item.author_id)],
                "category_level_one": [item.category_level_one],
                "category_level_two": [item.category_level_two],
                "upload_type": [item.upload_type],
                "upload_time_ms": [item.upload_timestamp * MS_PER_S],
                "duration": [item.duration],
            }

    def _add(self, arrays: Iterable[np.ndarray], columns: Sequence[int]) -> None:
        batch: list[np.ndarray] = []
        for array in arrays:
            batch.append(array)
            if len(batch) == _ARRAYS_AT_ONCE:
                self._merge(batch, columns)
                batch = []
        if batch:
            self._merge(batch, columns)

    def _merge(self, batch: Sequence[np.ndarray], columns: Sequence[int]) -> None:
        rows = pd.DataFrame(np.concatenate(batch)[:, columns].astype(np.int64), columns=list(ITEM_COLUMNS))
        self._versions = pd.concat([self._versions, rows.drop_duplicates(keep="last")]).drop_duplicates(keep="last")
