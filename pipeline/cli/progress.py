"""A progress line with rate and time left."""

import sys
import time
from types import TracebackType

import click


class Progress:
    """Shows `done / total` with rate and ETA: one rewritten line on a terminal, a line every few seconds elsewhere.

    Args:
      label: what is being done.
      unit: what is counted.
      interval_s: least time between two updates.
    """

    def __init__(self, label: str, unit: str, interval_s: float | None = None):
        self._label, self._unit = label, unit
        self._tty = sys.stderr.isatty()
        self._interval_s = interval_s if interval_s is not None else (0.2 if self._tty else 5.0)
        self._start = self._last = time.monotonic()
        self._wrote = False

    def __enter__(self) -> "Progress":
        return self

    def update(self, done: int, total: int) -> None:
        """Reports that `done` of `total` units are finished."""
        now = time.monotonic()
        if now - self._last < self._interval_s and done < total:
            return
        self._last = now
        rate = done / max(now - self._start, 1e-9)
        eta_s = (total - done) / rate if rate else 0.0
        line = f"{self._label}: {done:,} / {total:,} {self._unit}, {rate:,.0f}/s, ETA {eta_s:,.0f} s"
        click.echo(f"\r\x1b[K{line}" if self._tty else line, err=True, nl=not self._tty)
        self._wrote = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tty and self._wrote:
            click.echo("", err=True)
