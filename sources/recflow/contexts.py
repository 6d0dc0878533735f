"""The requests of one day: who asked, when, and where the ground truth was ranked."""

import dataclasses
import datetime
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from sources.adapter import Count
from sources.reading import DataError
from sources.recflow import layout
from sources.recflow.files import read_feather

MAX_OUTSIDE_DAY_SHARE = 0.01
"""A larger share of requests outside their file's day means that the time zone is wrong."""


@dataclasses.dataclass(frozen=True)
class RankTable:
    """The logged position of each ground-truth item, sorted by request.

    Args:
      request: int64 `[M]`, ascending.
      video: int64 `[M]`.
      index: int64 `[M]`.
    """

    request: np.ndarray
    video: np.ndarray
    index: np.ndarray

    def of(self, request: int) -> dict[int, int]:
        """Returns video to index of one request; where a video has several rows the first counts."""
        start, end = np.searchsorted(self.request, [request, request + 1])
        videos, indices = self.video[start:end][::-1], self.index[start:end][::-1]
        return dict(zip(videos.tolist(), indices.tolist(), strict=True))


@dataclasses.dataclass(frozen=True)
class Context:
    """One request as logged."""

    request_id: int
    user_id: int
    request_timestamp: int
    device_id: int
    age: int
    gender: int
    province: int


@dataclasses.dataclass(frozen=True)
class Contexts:
    """The requests of one day.

    Args:
      frame: one row per request, the columns of `layout.CONTEXT_COLUMNS`.
      ranks: positions of the ground truth.
    """

    frame: pd.DataFrame
    ranks: RankTable

    def shard(self, index: int, count: int) -> Iterator[Context]:
        """Yields every `count`-th request from the `index`-th on, in file order."""
        for row in self.frame.iloc[index::count].itertuples(index=False):
            yield Context(*row)


def read_contexts(
    path: Path, day: str, lists: layout.ListLayout, time_zone: zoneinfo.ZoneInfo, count: Count
) -> Contexts:
    """Returns the requests of one day's `all_stage` file.

    Args:
      path: the feather file.
      day: ISO day of the file, in `time_zone`.
      lists: which flag and rank column mark the ground truth.
      time_zone: zone that the days were cut in.
      count: receives `duplicate_request` and `request_outside_day`.

    Raises:
      DataError: the file is missing, truncated, corrupt or empty, a column is missing or of the wrong type,
        or its requests do not lie in `day`.
    """
    flag, rank_column = lists.stages[0], lists.rank_column
    columns = read_feather(path, (*layout.CONTEXT_COLUMNS, "video_id", flag, rank_column))
    frame = pd.DataFrame({name: columns[name] for name in layout.CONTEXT_COLUMNS}).drop_duplicates()
    repeated = frame["request_id"].duplicated()
    if repeated.any():
        count("duplicate_request", int(repeated.sum()))
        frame = frame[~repeated]
    _check_day(path, day, frame, time_zone, count)
    return Contexts(frame, _rank_table(columns, columns[flag] == 1, rank_column))


def _rank_table(columns: dict[str, np.ndarray], where: np.ndarray, rank_column: str) -> RankTable:
    request = columns["request_id"][where]
    order = np.argsort(request, kind="stable")
    return RankTable(request[order], columns["video_id"][where][order], columns[rank_column][where][order])


def _check_day(path: Path, day: str, frame: pd.DataFrame, zone: zoneinfo.ZoneInfo, count: Count) -> None:
    first = datetime.datetime.combine(datetime.date.fromisoformat(day), datetime.time(), tzinfo=zone)
    last = datetime.datetime.combine(first.date() + datetime.timedelta(days=1), datetime.time(), tzinfo=zone)
    times_ms = frame["request_timestamp"]
    outside = (times_ms < first.timestamp() * 1000) | (times_ms >= last.timestamp() * 1000)
    num_outside = int(outside.sum())
    if num_outside > MAX_OUTSIDE_DAY_SHARE * len(frame):
        request = frame[outside].iloc[0]
        raise DataError(
            f"{path}: {num_outside} of {len(frame)} requests lie outside {day} in time zone {zone.key}; the "
            f"first is request {request['request_id']} at request_timestamp={request['request_timestamp']} "
            "milliseconds. Is it another zone or another unit?"
        )
    if num_outside:
        count("request_outside_day", num_outside)
