"""Lines that tell how far the packing of requests is."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import tensorflow as tf

from trainer.data.input import ParsedBatch

_TRAILER_BYTES = 4


class PackingProgress:
    """Reports share, speed and the remaining time while requests are parsed.

    Args:
      report: gets one line at a time.
      name: of the requests, such as `"training requests"`.
      files: gzipped files that they come from.
      interval_s: least time between two lines.
    """

    def __init__(
        self, report: Callable[[str], None], name: str, files: Sequence[str], interval_s: float = 10.0
    ) -> None:
        self._report = report
        self._name = name
        self._total_bytes = sum(_uncompressed_bytes(path) for path in files)
        self._interval_s = interval_s

    def watch(self, batches: Iterable[ParsedBatch]) -> Iterator[ParsedBatch]:
        """Passes batches on and reports; a last line says how many there were."""
        start_s = last_s = time.monotonic()
        num_requests, num_bytes = 0, 0
        for batch in batches:
            yield batch
            num_requests += len(next(iter(batch.requests.values())))
            num_bytes += batch.num_bytes
            now_s = time.monotonic()
            if now_s - last_s >= self._interval_s:
                last_s = now_s
                # The total is known modulo 4 GiB a file, and so may be too small.
                share = min(num_bytes / max(self._total_bytes, 1), 1.0)
                elapsed_s = now_s - start_s
                self._report(
                    f"packing {self._name}: {num_requests:,}, {share:.0%}, {num_requests / elapsed_s:,.0f} requests/s, "
                    f"ETA {elapsed_s / share - elapsed_s:.0f} s"
                )
        elapsed_s = time.monotonic() - start_s
        self._report(
            f"packed {num_requests:,} {self._name} in {elapsed_s:.1f} s, {num_requests / elapsed_s:,.0f} requests/s"
        )


def _uncompressed_bytes(path: str) -> int:
    """Size of a gzipped file's content, which its last bytes say modulo 4 GiB."""
    with tf.io.gfile.GFile(path, "rb") as file:
        file.seek(max(file.size() - _TRAILER_BYTES, 0))
        return int.from_bytes(file.read(_TRAILER_BYTES), "little")
