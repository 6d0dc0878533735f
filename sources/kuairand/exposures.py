"""All exposures up to a day, in the order in which each user met them."""

import dataclasses
import datetime
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sources.kuairand.layout import LogFile
from sources.kuairand.tables import Kind, read_table
from sources.reading import DataError

GRADE_LIKE, GRADE_LONG_VIEW, GRADE_CLICK, GRADE_EXPOSED, GRADE_UNEXPOSED = 4, 3, 2, 1, 0

_TIMED: Mapping[str, Kind] = {
    "user_id": "integer",
    "video_id": "integer",
    "date": "integer",
    "time_ms": "integer",
    "is_click": "flag",
    "is_like": "flag",
    "long_view": "flag",
}
_TIMELESS: Mapping[str, Kind] = {
    "user_id": "integer",
    "pos": "integer",
    "video_id": "integer",
    "is_like": "flag",
    "long_view": "flag",
}
_LARGEST_SHARE_ON_OTHER_DAYS = 0.05
_EPOCH = datetime.date(1970, 1, 1).toordinal()


@dataclasses.dataclass(frozen=True)
class Exposures:
    """Exposures sorted by user, then in the order in which the user met them.

    Args:
      user: `[n]` user ids.
      video: `[n]` rows of the catalogue.
      day: `[n]` ordinals of the days.
      time_ms: `[n]` Unix milliseconds, 0 where only the order is known.
      grade: `[n]` 4 like, 3 long view, 2 click, 1 exposed.
      long_view: `[n]` whether the video was viewed long.
      policies: day ordinal to the number of rows that each reading policy touched.
    """

    user: np.ndarray
    video: np.ndarray
    day: np.ndarray
    time_ms: np.ndarray
    grade: np.ndarray
    long_view: np.ndarray
    policies: Mapping[int, Mapping[str, int]]


def read_exposures(
    data_dir: Path, logs: Sequence[LogFile], video_ids: np.ndarray, time_zone: datetime.tzinfo
) -> Exposures:
    """Reads exposure files into memory, 30 bytes an exposure (about 40 MB for the official standard logs).

    Exposures of videos outside `video_ids` are dropped, and consecutive exposures of one video to one user on one day
    are one exposure with the best grade; both are counted in `policies`.

    Args:
      data_dir: folder of the files.
      logs: the files.
      video_ids: `[V]` sorted ids of the catalogue.
      time_zone: zone in which `date` was taken from `time_ms`.

    Raises:
      DataError: a file cannot be used.
    """
    policies: dict[int, Counter[str]] = {}
    parts = []
    for log in logs:
        read = _read_timed if log.has_time else _read_timeless
        parts.append(read(data_dir / log.name, log, time_zone))
    rows = pd.concat(parts, ignore_index=True)

    row = np.searchsorted(video_ids, rows["video_id"]).clip(max=len(video_ids) - 1)
    known = video_ids[row] == rows["video_id"].to_numpy()
    _add(policies, "exposures_of_unknown_videos_dropped", rows["day"].to_numpy()[~known])
    _add(policies, "exposures_on_another_day_than_their_time", rows.loc[rows["other_day"] & known, "day"].to_numpy())
    if not known.any():
        names = ", ".join(log.name for log in logs)
        raise DataError(f"{data_dir}: none of the videos in {names} is in the catalogue of {len(video_ids)} videos")
    rows = rows.assign(video=row)[known]
    rows = rows.sort_values(["user_id", "day", "order", "video"], kind="stable", ignore_index=True)

    same = (rows[["user_id", "day", "video"]].diff() == 0).all(axis=1).to_numpy()
    _add(policies, "repeated_exposures_merged", rows["day"].to_numpy()[same])
    first = np.flatnonzero(~same)
    return Exposures(
        user=rows["user_id"].to_numpy()[first],
        video=rows["video"].to_numpy(np.int32)[first],
        day=rows["day"].to_numpy(np.int32)[first],
        time_ms=rows["time_ms"].to_numpy()[first],
        grade=_best_of_runs(rows["grade"], first),
        long_view=_best_of_runs(rows["long_view"], first).astype(bool),
        policies=policies,
    )


def _read_timed(path: Path, log: LogFile, time_zone: datetime.tzinfo) -> pd.DataFrame:
    table = read_table(path, _TIMED)
    dates = pd.to_datetime(table["date"].astype(str), format="%Y%m%d", errors="coerce")
    held = dates.between(pd.Timestamp(log.first_day), pd.Timestamp(log.last_day))
    if not held.all():
        row = int((~held).to_numpy().argmax())
        raise DataError(
            f"{path}: column `date` must lie between {log.first_day} and {log.last_day}, written like "
            f"{log.first_day.replace('-', '')}. Received: {table['date'].iloc[row]} in row {row + 1}"
        )
    local = pd.to_datetime(table["time_ms"], unit="ms", utc=True).dt.tz_convert(time_zone).dt.tz_localize(None)
    other_day = local.dt.normalize() != dates
    if other_day.mean() > _LARGEST_SHARE_ON_OTHER_DAYS:
        raise DataError(
            f"{path}: `date` must be the day of `time_ms` in the time zone {time_zone}. "
            f"Received: another day in {other_day.mean():.1%} of the rows"
        )
    return pd.DataFrame(
        {
            "user_id": table["user_id"],
            "video_id": table["video_id"],
            "day": dates.to_numpy().astype("datetime64[D]").astype(np.int64) + _EPOCH,
            "order": table["time_ms"],
            "time_ms": table["time_ms"],
            "grade": _grade(table),
            "long_view": table["long_view"],
            "other_day": other_day,
        }
    )


def _read_timeless(path: Path, log: LogFile, time_zone: datetime.tzinfo) -> pd.DataFrame:
    del time_zone
    table = read_table(path, _TIMELESS)
    repeated = table.duplicated(["user_id", "pos"])
    if repeated.any():
        user, pos = table.loc[repeated, ["user_id", "pos"]].iloc[0]
        raise DataError(f"{path}: a user has one exposure at each `pos`. Received: user {user} has two at pos {pos}")
    return pd.DataFrame(
        {
            "user_id": table["user_id"],
            "video_id": table["video_id"],
            "day": datetime.date.fromisoformat(log.first_day).toordinal(),
            "order": table["pos"],
            "time_ms": 0,
            "grade": _grade(table.assign(is_click=0)),
            "long_view": table["long_view"],
            "other_day": False,
        }
    )


def _grade(table: pd.DataFrame) -> np.ndarray:
    conditions = [table["is_like"] == 1, table["long_view"] == 1, table["is_click"] == 1]
    return np.select(conditions, [GRADE_LIKE, GRADE_LONG_VIEW, GRADE_CLICK], default=GRADE_EXPOSED)


def _best_of_runs(values: pd.Series, first: np.ndarray) -> np.ndarray:
    return np.maximum.reduceat(values.to_numpy(np.int8), first)


def _add(policies: dict[int, Counter[str]], policy: str, days: np.ndarray) -> None:
    for day, rows in zip(*np.unique(days, return_counts=True), strict=True):
        policies.setdefault(int(day), Counter())[policy] += int(rows)
