"""A line that shows that a long step is alive."""

import threading
import time
from types import TracebackType
from typing import TextIO

_FIRST_NOTE_S = 10.0
_NOTE_INTERVAL_S = 60.0


class Ticker:
    """Shows a label and the elapsed time while a context lasts.

    A terminal gets one line, rewritten every second and gone at the end; any other stream gets a line after 10 s and
    then one a minute.

    Args:
      label: what is running.
      stream: where to write.
    """

    def __init__(self, label: str, stream: TextIO):
        self._label = label
        self._stream = stream
        self._tty = stream.isatty()
        self._start = time.monotonic()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._start

    def __enter__(self) -> "Ticker":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self.clear()

    def clear(self) -> None:
        """Removes the rewritten line, so that another line can be printed in its place."""
        if self._tty:
            with self._lock:
                self._stream.write("\r\x1b[K")
                self._stream.flush()

    def _run(self) -> None:
        wait_s = 1.0 if self._tty else _FIRST_NOTE_S
        while not self._done.wait(wait_s):
            text = f"{self._label}: running, {format_duration(self.elapsed_s)}"
            with self._lock:
                self._stream.write(f"\r\x1b[K{text}" if self._tty else f"{text}\n")
                self._stream.flush()
            wait_s = 1.0 if self._tty else _NOTE_INTERVAL_S


def format_duration(duration_s: float) -> str:
    """Returns seconds as `"3.2 s"`, `"42 s"` or `"3 min 07 s"`."""
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    if duration_s < 60:
        return f"{duration_s:.0f} s"
    return f"{int(duration_s) // 60} min {int(duration_s) % 60:02d} s"
