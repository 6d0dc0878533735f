"""Reads a request log and its feedback into request and catalogue examples."""

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sources.adapter import Count, Record, Shard
from sources.reading import DataError, is_iso_day
from sources.request_log.catalogue import read_catalogue
from sources.request_log.example_proto import parse_example
from sources.request_log.feedback import join_feedback, read_feedback
from sources.request_log.files import read_tfrecords

REQUESTS = "requests"
FEEDBACK = "feedback"
CATALOGUE = "catalogue"

_MAX_SHARDS = 16
_NEEDED = {"request_id": str, "user_id": str, "request_time_ms": int, "num_stages": int}
_NOT_FOR_TRAINING = ("num_stages", "release", "fallback", "candidate_item_id", "candidate_stage", "candidate_rank")
_OF_THE_SEARCH = ("num_probed_leaves", "filter_")  # what a request asked of the index, by prefix


@dataclasses.dataclass(frozen=True)
class RequestLogAdapter:
    """Reads the layout of docs/formats.md: `requests/` as `serving.request_log.RequestLog` writes it, `feedback/` and
    `catalogue/` as the application does.

    Args:
      data_dir: the folder that holds the three.
      group_size: candidates kept of each stage, so that `list_size` is `(number of stages + 2) * group_size`.
      late_feedback_days: days after a request's own whose feedback is read for it.

    Raises:
      ValueError: an argument is out of range.
    """

    data_dir: Path
    group_size: int = 10
    late_feedback_days: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_dir", Path(self.data_dir))
        if self.group_size < 1:
            raise ValueError(f"`group_size` must be at least 1. Received: group_size={self.group_size}")
        if self.late_feedback_days < 0:
            raise ValueError(
                f"`late_feedback_days` must not be negative. Received: late_feedback_days={self.late_feedback_days}"
            )

    def days(self) -> tuple[str, ...]:
        """Returns the ISO days that have requests and feedback, in order.

        A day that is still being served has no folder of feedback yet, and so is none.
        """
        folder = self.data_dir / REQUESTS
        days = sorted(path.name for path in folder.glob("*") if path.is_dir())
        for day in days:
            if not is_iso_day(day):
                raise DataError(f"{folder / day}: the name must be an ISO day such as 2024-01-13")
        complete = tuple(day for day in days if (self.data_dir / FEEDBACK / day).is_dir())
        if not complete:
            raise DataError(f"{self.data_dir}: no day is in both {REQUESTS}/ and {FEEDBACK}/")
        return complete

    def files(self, days: Sequence[str]) -> tuple[Path, ...]:
        """Returns the files that the requests and the catalogue of `days` depend on."""
        files = {path for day in days for path in [*self._request_files(day), *self._feedback_files(day)]}
        return (*sorted(files), self._catalogue_file(days))

    def request_shards(self, days: Sequence[str]) -> tuple[Shard, ...]:
        """Returns up to 16 shards per day, each of some of its files."""
        counts = {day: min(len(self._request_files(day)), _MAX_SHARDS) for day in days}
        return tuple(Shard(day, index, count) for day, count in counts.items() for index in range(count))

    def read_requests(self, shard: Shard, count: Count) -> Iterator[Record]:
        """Yields the request records of `shard`, one log file in memory at a time.

        Raises:
          DataError: a file is missing, truncated, corrupt, or breaks the layout.
        """
        feedback_files = self._feedback_files(shard.day)
        for path in self._request_files(shard.day)[shard.index :: shard.count]:
            requests = [
                _checked(parse_example(record, f"{path}: record {number}"), f"{path}: record {number}")
                for number, record in enumerate(read_tfrecords(path), start=1)
            ]
            feedback = read_feedback(feedback_files, {request["request_id"][0] for request in requests})
            for request in requests:
                if "candidate_item_id" not in request:
                    count("request_without_candidates", 1)
                    continue
                if request.get("fallback") == [1]:
                    count("request_answered_by_fallback", 1)
                features = {
                    name: values
                    for name, values in request.items()
                    if name not in _NOT_FOR_TRAINING and not name.startswith(_OF_THE_SEARCH)
                }
                yield features | join_feedback(
                    request["candidate_item_id"],
                    request["candidate_stage"],
                    request["candidate_rank"],
                    request["num_stages"][0],
                    feedback.get(request["request_id"][0], {}),
                    self.group_size,
                    count,
                )

    def read_catalogue(self, days: Sequence[str], count: Count) -> Iterator[Record]:
        """Yields one record per item of the newest catalogue that is not newer than `days`, ordered by item id.

        Raises:
          DataError: a file is missing, truncated, corrupt, or breaks the layout.
        """
        yield from read_catalogue(self._catalogue_file(days))

    def read_newest_catalogue(self, count: Count) -> Iterator[Record]:
        """Yields one record per item of the newest catalogue, though no requests or feedback may be of its day yet.

        Raises:
          DataError: a file is missing, truncated, corrupt, or breaks the layout.
        """
        yield from read_catalogue(self._catalogue_files()[-1])

    def _request_files(self, day: str) -> list[Path]:
        folder = self.data_dir / REQUESTS / day
        files = sorted(folder.glob("[!.]*.tfrecord.gz"))
        if not files:
            raise DataError(f"{folder}: no <name>.tfrecord.gz file is there")
        return files

    def _feedback_files(self, day: str) -> list[Path]:
        first = datetime.date.fromisoformat(day)
        late = [first + datetime.timedelta(days=number) for number in range(self.late_feedback_days + 1)]
        folders = [self.data_dir / FEEDBACK / each.isoformat() for each in late]
        if not folders[0].is_dir():
            raise DataError(f"{folders[0]}: the folder is missing")
        return [path for folder in folders for path in sorted(folder.glob("[!.]*.jsonl"))]

    def _catalogue_file(self, days: Sequence[str]) -> Path:
        past = [path for path in self._catalogue_files() if path.stem <= max(days)]
        if not past:
            raise DataError(f"{self.data_dir / CATALOGUE}: no <day>.jsonl file of {max(days)} or before is there")
        return past[-1]

    def _catalogue_files(self) -> list[Path]:
        """The catalogues, oldest first; at least one."""
        folder = self.data_dir / CATALOGUE
        files = sorted(folder.glob("[!.]*.jsonl"))
        if not files:
            raise DataError(f"{folder}: no <day>.jsonl file is there")
        for path in files:
            if not is_iso_day(path.stem):
                raise DataError(f"{path}: the name must be an ISO day such as 2024-01-13.jsonl")
        return files


def _checked(request: dict[str, list[Any]], origin: str) -> dict[str, list[Any]]:
    for name, kind in _NEEDED.items():
        values = request.get(name, [])
        if name == "user_id" and not values:
            request["user_id"] = [""]
        elif len(values) != 1 or not isinstance(values[0], kind):
            raise DataError(f"{origin}: `{name}` must be one {kind.__name__}. Received: {values!r}")
    sizes = {name: len(request.get(f"candidate_{name}", [])) for name in ("item_id", "stage", "rank")}
    if len(set(sizes.values())) > 1:
        raise DataError(f"{origin}: the candidate lists must be of equal length. Received: {sizes}")
    return request
