"""Reads RecFlow's files into request and catalogue examples."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from sources.adapter import Count, Record, Shard
from sources.reading import DataError, is_iso_day, read_time_zone
from sources.recflow import layout
from sources.recflow.catalogue import Catalogue
from sources.recflow.contexts import read_contexts
from sources.recflow.files import read_candidates, read_histories
from sources.recflow.requests import Day


@dataclasses.dataclass(frozen=True)
class RecFlowAdapter:
    """Reads the RecFlow layout of docs/formats.md, as published or as the simulator writes it.

    Args:
      data_dir: the folder that holds `all_stage/`, `seq_effective_50_dict/` and `request_id_dict/`.
      lists: `"two_stage"` (rank_pos, rank_neg, coarse_neg, prerank_neg) or `"three_stage"` (rerank_pos,
        rerank_neg, rank_neg, coarse_neg, prerank_neg), 10 items of each.
      time_zone: IANA zone that the days were cut in.
      history_size: events kept per request, the latest ones.

    Raises:
      ValueError: an argument is out of range.
    """

    data_dir: Path
    lists: Literal["two_stage", "three_stage"] = "two_stage"
    time_zone: str = "Asia/Shanghai"
    history_size: int = layout.HISTORY_SIZE

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_dir", Path(self.data_dir))
        if self.lists not in layout.LISTS:
            raise ValueError(f"`lists` must be one of {', '.join(layout.LISTS)}. Received: lists={self.lists!r}")
        if self.history_size < 1:
            raise ValueError(f"`history_size` must be at least 1. Received: history_size={self.history_size}")
        read_time_zone(self.time_zone)

    def days(self) -> tuple[str, ...]:
        """Returns the ISO days that `all_stage/` holds, in order."""
        folder = self.data_dir / layout.ALL_STAGE
        days = sorted(path.stem for path in folder.glob("*.feather"))
        if not days:
            raise DataError(f"{folder}: no <day>.feather file is there")
        for day in days:
            if not is_iso_day(day):
                raise DataError(f"{folder / day}.feather: the name must be an ISO day such as 2024-01-13.feather")
        return tuple(days)

    def files(self, days: Sequence[str]) -> tuple[Path, ...]:
        """Returns the files that the requests and the catalogue of `days` depend on."""
        return tuple(path for day in days for path in self._paths(day))

    def request_shards(self, days: Sequence[str]) -> tuple[Shard, ...]:
        """Returns one shard per day, since a day's pickles are read as a whole."""
        return tuple(Shard(day) for day in days)

    def read_requests(self, shard: Shard, count: Count) -> Iterator[Record]:
        """Yields the request records of `shard`; the day's files are checked before the first one.

        Raises:
          DataError: a file is missing, truncated, corrupt, or breaks the layout.
        """
        lists = layout.LISTS[self.lists]
        all_stage, histories, candidates = self._paths(shard.day)
        zone = read_time_zone(self.time_zone)
        day = Day(
            contexts=read_contexts(all_stage, shard.day, lists, zone, count),
            histories=read_histories(histories),
            candidates=read_candidates(candidates),
        )
        yield from day.records(shard.index, shard.count, lists, self.history_size, count)

    def read_catalogue(self, days: Sequence[str], count: Count) -> Iterator[Record]:
        """Yields one record per item in the candidates and histories of `days`, ordered by item id.

        Where an item's features differ, the version read last counts: days in order, a day's histories before
        its candidates.

        Raises:
          DataError: a file is missing, truncated, corrupt, or breaks the layout.
        """
        catalogue = Catalogue()
        for day in days:
            _, histories, candidates = self._paths(day)
            catalogue.add_histories(read_histories(histories))
            catalogue.add_candidates(read_candidates(candidates))
        yield from catalogue.records(count)

    def read_newest_catalogue(self, count: Count) -> Iterator[Record]:
        """Yields the catalogue of all days.

        Raises:
          DataError: a file is missing, truncated, corrupt, or breaks the layout.
        """
        return self.read_catalogue(self.days(), count)

    def _paths(self, day: str) -> tuple[Path, Path, Path]:
        return (
            layout.feather_path(self.data_dir, layout.ALL_STAGE, day),
            layout.pickle_path(self.data_dir, layout.HISTORIES, day),
            layout.pickle_path(self.data_dir, layout.CANDIDATES, day),
        )
