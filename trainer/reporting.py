"""What the parts of a training run tell about how it goes: lines for people, values in the logs of steps and epochs."""

import time
from collections.abc import Callable

Report = Callable[[str], None]
"""Gets lines about progress, one at a time."""

VALIDATION = "val_"
"""Prefix, in the logs of an epoch, of a metric on the evaluation split."""

WAITING_S = "waiting_s"
"""Name in the logs of a step: seconds for which the steps of the epoch have waited for their batches."""

WAITING_SHARE = "waiting_share"
"""Name in the logs of an epoch: share of the time in which its steps waited for their batches."""


class Progress:
    """Reports how far a pass is, how fast, and when it will be done.

    Args:
      report: gets one line at a time; `None` stays silent.
      label: what is being done.
      num_requests: requests of the whole pass.
      interval_s: least time between two lines.
    """

    def __init__(self, report: Report | None, label: str, num_requests: int, interval_s: float = 5.0) -> None:
        self._report = report
        self._label = label
        self._num_requests = num_requests
        self._interval_s = interval_s
        self._num_done = 0
        self._start_s = self._last_s = time.monotonic()

    def add(self, num_requests: int) -> None:
        """Counts requests as done."""
        self._num_done += num_requests
        now_s = time.monotonic()
        done = self._num_done == self._num_requests
        if self._report is None or not (done or now_s - self._last_s >= self._interval_s):
            return
        self._last_s = now_s
        elapsed_s = now_s - self._start_s
        requests_per_s = self._num_done / max(elapsed_s, 1e-9)
        rest_s = (self._num_requests - self._num_done) / requests_per_s
        counts = f"{self._num_done:,}/{self._num_requests:,} requests, {requests_per_s:,.0f} requests/s"
        self._report(f"{self._label}: {counts}, " + (f"{elapsed_s:.1f} s" if done else f"ETA {rest_s:.0f} s"))
