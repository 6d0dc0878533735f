"""Samples what a client answers into files that the pipeline can read as a new day."""

import dataclasses
import datetime
import hashlib
import logging
import os
import queue
import threading
import zoneinfo
from pathlib import Path
from types import TracebackType

from serving.request_log.day_files import DayFiles
from serving.request_log.served_request import ServedRequest

_logger = logging.getLogger(__name__)

_LONGEST_WAIT_S = 3600.0  # a thread cannot be told to wait for ever and a day


@dataclasses.dataclass(frozen=True)
class RequestLogCounts:
    """What became of the requests so far.

    Args:
      sampled: that the sample took; each ends in one of the other counts.
      written: in files that are published.
      dropped: because the queue or the space was full.
      failed: because the disk did not take them, or because they cannot be written as an example of a day.
    """

    sampled: int = 0
    written: int = 0
    dropped: int = 0
    failed: int = 0


class RequestLog:
    """Writes a sample of the served requests to `<folder>/<day>/*.tfrecord.gz`, as docs/formats.md describes them.

    `record` never waits: a thread writes, from a bounded queue, and what does not fit is dropped and counted. A file
    appears under its name when it is complete. Several processes may write to one folder.

    Args:
      folder: of the log; made if it is not there.
      sample_rate: share of the requests, 0 to 1. A hash of the request id decides, so that every process that logs a
        request, or something about it, decides alike.
      time_zone: IANA zone that days are cut in, by `request_time_ms`.
      passed_over: items logged, for each stage, of those that it kept and that were not delivered; the negatives of a
        training. The one-call model does not tell them.
      queue_size: requests that may wait to be written.
      max_file_bytes: of examples, uncompressed, after which a file is complete.
      max_file_age_s: after which it is, too; what is lost if the process is killed.
      max_total_bytes: of the folder's files, above which requests are dropped.

    Raises:
      ValueError: an argument is out of range.
      OSError: the folder cannot be read.

    Example:
      with RequestLog("logs/requests", sample_rate=0.1) as log:
          client = RecommenderClient(target, config, request_log=log)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        sample_rate: float = 1.0,
        time_zone: str = "UTC",
        passed_over: int = 10,
        queue_size: int = 10_000,
        max_file_bytes: int = 64 << 20,
        max_file_age_s: float = 300.0,
        max_total_bytes: int = 10 << 30,
    ):
        if not 0 <= sample_rate <= 1:
            raise ValueError(f"`sample_rate` must be from 0 to 1. Received: sample_rate={sample_rate}")
        if passed_over < 0:
            raise ValueError(f"`passed_over` must not be negative. Received: passed_over={passed_over}")
        sizes = {"queue_size": queue_size, "max_file_bytes": max_file_bytes, "max_file_age_s": max_file_age_s}
        for name, value in {**sizes, "max_total_bytes": max_total_bytes}.items():
            if not value > 0:
                raise ValueError(f"`{name}` must be positive. Received: {name}={value}")
        try:
            self._zone = zoneinfo.ZoneInfo(time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"`time_zone` must be an IANA time zone such as 'Asia/Shanghai'. Received: time_zone={time_zone!r}"
            ) from None
        self._sample_rate = sample_rate
        self._passed_over = passed_over
        self._queue: queue.Queue[ServedRequest | None] = queue.Queue(queue_size)
        self._files = DayFiles(
            Path(folder),
            max_file_bytes=max_file_bytes,
            max_file_age_s=max_file_age_s,
            max_total_bytes=max_total_bytes,
            count=self._count,
        )
        self._lock = threading.Lock()
        self._counts = RequestLogCounts()
        self._closed = False
        self._has_told = False
        self._thread = threading.Thread(target=self._write_all, name="request-log", daemon=True)
        self._thread.start()

    @property
    def counts(self) -> RequestLogCounts:
        """What became of the requests so far."""
        return self._counts

    def record(self, served: ServedRequest) -> None:
        """Takes a request, if it is in the sample, without waiting and without an error."""
        if not self._is_sampled(served.request_id):
            return
        self._count("sampled", 1)
        with self._lock:
            try:
                if not self._closed:
                    self._queue.put_nowait(served)
                    return
            except queue.Full:
                pass
        self._count("dropped", 1)

    def close(self) -> None:
        """Writes what waits and publishes the open files; what is recorded after that is dropped."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._queue.put(None)
        self._thread.join()

    def __enter__(self) -> "RequestLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _is_sampled(self, request_id: bytes) -> bool:
        digest = hashlib.blake2b(request_id, digest_size=8).digest()
        return int.from_bytes(digest, "big") < self._sample_rate * 2**64

    def _count(self, name: str, number: int) -> None:
        with self._lock:
            self._counts = dataclasses.replace(self._counts, **{name: getattr(self._counts, name) + number})

    def _write_all(self) -> None:
        while True:
            try:
                served = self._queue.get(timeout=min(self._files.next_publication_s(), _LONGEST_WAIT_S))
            except queue.Empty:
                pass
            else:
                if served is None:
                    break
                self._write(served)
            self._files.publish_old()
        self._files.publish_all()

    def _write(self, served: ServedRequest) -> None:
        try:
            time = datetime.datetime.fromtimestamp(served.request_time_ms / 1000, self._zone)
            day = time.date().isoformat()
            example = served.logged(self._passed_over).SerializeToString(deterministic=True)
        except Exception:  # a time of no day, or no request at all; what comes after it is still written
            self._count("failed", 1)
            if not self._has_told:
                _logger.warning("A request cannot be logged; others like it are only counted", exc_info=True)
            self._has_told = True
            return
        self._files.write(day, example)
