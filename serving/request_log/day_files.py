"""The files of a request log: one open for each day, published by size and age."""

import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from serving.request_log.log_file import SUFFIX, LogFile, remove_abandoned

_logger = logging.getLogger(__name__)

_MAX_OPEN = 2  # requests of two days come in turn around midnight


class DayFiles:
    """Not for several threads. Whatever goes wrong with a file costs the records that it holds, and raises nothing.

    Args:
      folder: holds a folder for each day.
      max_file_bytes: of examples, after which a file is published.
      max_file_age_s: after which it is, too.
      max_total_bytes: of the published files, above which nothing is taken.
      count: receives how many records were `written`, `dropped` or `failed`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_file_bytes: int,
        max_file_age_s: float,
        max_total_bytes: int,
        count: Callable[[str, int], None],
    ):
        self._folder = folder
        self._max_file_bytes = max_file_bytes
        self._max_file_age_s = max_file_age_s
        self._max_total_bytes = max_total_bytes
        self._count = count
        self._open: dict[str, LogFile] = {}  # the longest open first
        self._total_bytes = self._measure()
        try:
            remove_abandoned(folder)
        except OSError as error:
            _logger.warning("Request log %s: what killed processes left is not cleared away: %s", folder, error)

    def write(self, day: str, example: bytes) -> None:
        """Adds a record to the file of a day."""
        try:
            if day not in self._open:
                if not self._has_space():
                    self._count("dropped", 1)
                    return
                if len(self._open) == _MAX_OPEN:
                    self._publish(next(iter(self._open)))
                self._open[day] = LogFile(self._folder / day)
            self._open[day].write(example)
        except Exception as error:
            self._fail(day, 1, error)
            return
        if self._open[day].num_bytes >= self._max_file_bytes:
            self._publish(day)

    def next_publication_s(self) -> float:
        """Seconds until a file is old enough to be published."""
        ages_s = [time.monotonic() - file.opened_s for file in self._open.values()]
        return max(self._max_file_age_s - max(ages_s, default=0.0), 0.0)

    def publish_old(self) -> None:
        """Publishes the files that are old enough."""
        for day in [day for day, file in self._open.items() if self._is_old(file)]:
            self._publish(day)

    def publish_all(self) -> None:
        """Publishes every file."""
        for day in list(self._open):
            self._publish(day)

    def _is_old(self, file: LogFile) -> bool:
        return time.monotonic() - file.opened_s >= self._max_file_age_s

    def _publish(self, day: str) -> None:
        file = self._open[day]
        try:
            self._total_bytes += file.publish()
        except Exception as error:
            self._fail(day, 0, error)
            return
        del self._open[day]
        self._count("written", file.num_records)

    def _fail(self, day: str, num_records: int, error: Exception) -> None:
        """Gives up the file of a day with all that it holds."""
        file = self._open.pop(day, None)
        if file is not None:
            num_records += file.num_records
            file.discard()
        _logger.warning("Request log %s: %d requests of %s are lost: %s", self._folder, num_records, day, error)
        self._count("failed", num_records)

    def _has_space(self) -> bool:
        if self._total_bytes >= self._max_total_bytes:
            self._total_bytes = self._measure()  # someone may have cleared the folder
        return self._total_bytes < self._max_total_bytes

    def _measure(self) -> int:
        num_bytes = 0
        for path in self._folder.glob(f"*/*{SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):  # it has just been cleared away
                num_bytes += path.stat().st_size
        return num_bytes
