"""Reads KuaiRand-Pure as requests and a catalogue."""

import dataclasses
import datetime
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sources.adapter import Count, Record, Shard
from sources.kuairand.exposures import Exposures, read_exposures
from sources.kuairand.features import UserFeatures, read_user_features, read_video_ids, read_videos
from sources.kuairand.layout import USER_FEATURES, VIDEO_FEATURES, LogFile, days_of, find_logs
from sources.kuairand.requests import ListSizes, RequestBuilder
from sources.reading import DataError, read_time_zone

DEFAULT_USER_FEATURES = (
    "user_active_degree",
    "is_live_streamer",
    "is_video_author",
    "follow_user_num_range",
    "fans_user_num_range",
    "friend_user_num_range",
    "register_days_range",
    "onehot_feat1",
    "onehot_feat2",
    "onehot_feat4",
    "onehot_feat7",
    "onehot_feat9",
    "onehot_feat10",
)
_SHARDS_OF_TIMELESS_DAY = 8


@dataclasses.dataclass(frozen=True)
class KuaiRandAdapter:
    """Reads KuaiRand-Pure, as the official CSV files or as the parquet cut.

    A request is a user and a day. Its candidates are the user's exposures of the day and sampled items that the
    user had not been exposed to by the end of it; `candidate_stage` is 0 for sampled, 1 for exposed and 2 for viewed
    long (the ground truth), `candidate_label` the grade: like 4, long view 3, click 2, exposed 1, sampled 0. History
    and exclusions hold what the user was exposed to before the day. A user with more exposures than a list takes gets
    several requests for the day, alike but for their candidates.

    The parquet cut has exposures with an order but no time. They are placed on 24 April 2022, each user's in as many
    lists as they fill, and a list's history and exclusions hold the user's exposures before the list. Clicks are not
    known there.

    A process keeps the exposures of the last two file sets it read, about 30 bytes each.

    Args:
      data_dir: folder of the files.
      time_zone: IANA zone in which the files' days were cut.
      history_size: events kept in a history, the latest ones.
      list_size: most candidates in a request.
      popular_negatives: share of the list for sampled items, drawn by their number of exposures up to the day.
      uniform_negatives: share of the list for sampled items, drawn uniformly.
      user_features: columns of the user file that a request carries as text, `"UNKNOWN"` where empty.
      random_log: whether to read the official log of randomly inserted exposures too.
      seed: seed of the sampling.

    Raises:
      ValueError: a value is out of its range.
    """

    data_dir: Path
    time_zone: str = "Asia/Shanghai"
    history_size: int = 50
    list_size: int = 40
    popular_negatives: float = 0.25
    uniform_negatives: float = 0.25
    user_features: tuple[str, ...] = DEFAULT_USER_FEATURES
    random_log: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_dir", Path(self.data_dir))
        object.__setattr__(self, "user_features", tuple(self.user_features))  # JSON has lists only
        for name in ("history_size", "list_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {name}={getattr(self, name)}")
        for name in ("popular_negatives", "uniform_negatives"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"`{name}` must lie in [0, 1). Received: {name}={getattr(self, name)}")
        if self._sizes.exposures < 1:
            raise ValueError(
                "`popular_negatives` and `uniform_negatives` must leave room for an exposure in a list of "
                f"{self.list_size}. Received: {self.popular_negatives} and {self.uniform_negatives}"
            )
        read_time_zone(self.time_zone)

    def days(self) -> tuple[str, ...]:
        """Returns the ISO days that the files' names promise, in order."""
        return days_of(find_logs(self.data_dir, self.random_log))

    def files(self, days: Sequence[str]) -> tuple[Path, ...]:
        """Returns the exposure files that begin by the last of `days`, and the feature files."""
        self._check(days)
        names = [log.name for log in self._logs_until(max(days))] if days else []
        return tuple(self.data_dir / name for name in (*names, USER_FEATURES, VIDEO_FEATURES))

    def request_shards(self, days: Sequence[str]) -> tuple[Shard, ...]:
        """Returns one shard per day, several for the day of the timeless exposures."""
        self._check(days)
        counts = {day: 1 if self._has_time(day) else _SHARDS_OF_TIMELESS_DAY for day in days}
        return tuple(Shard(day, index, count) for day, count in counts.items() for index in range(count))

    def read_requests(self, shard: Shard, count: Count) -> Iterator[Record]:
        """Yields the requests of `shard`, by user and time.

        Raises:
          DataError: a file cannot be used, or holds no exposure on the day.
        """
        self._check([shard.day])
        zone = read_time_zone(self.time_zone)
        logs = self._logs_until(shard.day)
        video_ids = _cached_video_ids(self.data_dir, self._stamp([VIDEO_FEATURES]))
        stamp = self._stamp([*(log.name for log in logs), VIDEO_FEATURES])
        exposures = _cached_exposures(self.data_dir, logs, self.time_zone, stamp)
        day = datetime.date.fromisoformat(shard.day)
        if not (exposures.day == day.toordinal()).any():
            names = ", ".join(log.name for log in logs if shard.day in log.days)
            raise DataError(f"{self.data_dir}: {names} must hold exposures on {shard.day}. Received: none")
        if shard.index == 0:
            for policy, rows in exposures.policies.get(day.toordinal(), {}).items():
                count(policy, rows)
        builder = RequestBuilder(
            exposures=exposures,
            users=_cached_users(self.data_dir, self.user_features, self._stamp([USER_FEATURES])),
            item_ids=video_ids.astype(str).astype(object),
            sizes=self._sizes,
            time_zone=zone,
            day=day,
            has_time=self._has_time(shard.day),
        )
        yield from builder.build(shard.index, shard.count, self.seed, count)

    def read_catalogue(self, days: Sequence[str], count: Count) -> Iterator[Record]:
        """Yields every video of the feature file, ordered by item id; the same for all `days`.

        Raises:
          DataError: the file cannot be used.
        """
        del count
        self._check(days)
        yield from read_videos(self.data_dir, read_time_zone(self.time_zone))

    def read_newest_catalogue(self, count: Count) -> Iterator[Record]:
        """Yields every video of the feature file, as `read_catalogue` does.

        Raises:
          DataError: the file cannot be used.
        """
        return self.read_catalogue(self.days(), count)

    @property
    def _sizes(self) -> ListSizes:
        popular = round(self.list_size * self.popular_negatives)
        uniform = round(self.list_size * self.uniform_negatives)
        return ListSizes(self.history_size, self.list_size - popular - uniform, popular, uniform)

    def _check(self, days: Sequence[str]) -> None:
        held = self.days()
        for day in days:
            if day not in held:
                raise DataError(f"{self.data_dir} holds {held[0]} to {held[-1]}. Received: day {day!r}")

    def _logs_until(self, day: str) -> tuple[LogFile, ...]:
        return tuple(log for log in find_logs(self.data_dir, self.random_log) if log.first_day <= day)

    def _has_time(self, day: str) -> bool:
        return all(log.has_time for log in self._logs_until(day) if day in log.days)

    def _stamp(self, names: Sequence[str]) -> tuple[int, ...]:
        """Returns what changes when one of the files does, so that a cached table is never stale."""
        paths = [self.data_dir / name for name in names]
        return tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)


@functools.lru_cache(maxsize=2)
def _cached_exposures(data_dir: Path, logs: tuple[LogFile, ...], time_zone: str, stamp: tuple[int, ...]) -> Exposures:
    video_ids = _cached_video_ids(data_dir, stamp[-1:])
    return read_exposures(data_dir, logs, video_ids, read_time_zone(time_zone))


@functools.lru_cache(maxsize=1)
def _cached_video_ids(data_dir: Path, stamp: tuple[int, ...]) -> np.ndarray:
    del stamp
    return read_video_ids(data_dir)


@functools.lru_cache(maxsize=1)
def _cached_users(data_dir: Path, columns: tuple[str, ...], stamp: tuple[int, ...]) -> UserFeatures:
    del stamp
    return read_user_features(data_dir, columns)
