"""Sends everything that libraries print to a log file and leaves the terminal to us."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

_FORMAT = "%(asctime)s %(levelname).1s %(name)s] %(message)s"


@contextlib.contextmanager
def captured_output(log_path: Path) -> Iterator[TextIO]:
    """Redirects stdout and stderr, of Python and of C++ (file descriptors 1 and 2), and Python logging to a file.

    Args:
      log_path: file to append to; its folder is made.

    Yields:
      The terminal: a stream that still writes to where stdout went before.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    streams = sys.stdout, sys.stderr
    descriptors = [os.dup(descriptor) for descriptor in (1, 2)]
    # Left open: a library may have bound a handler to it by the time this context ends.
    log = open(log_path, "a", buffering=1, encoding="utf-8")  # noqa: SIM115
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter(_FORMAT))
    root_logger = logging.getLogger()
    level = root_logger.level
    _flush(streams)
    for descriptor in (1, 2):
        os.dup2(log.fileno(), descriptor)
    # A stream that does not write to its descriptor (a test runner's) is replaced.
    sys.stdout, sys.stderr = (
        stream if _writes_to(stream, descriptor) else log for descriptor, stream in enumerate(streams, start=1)
    )
    root_logger.addHandler(handler)
    root_logger.setLevel(logging.INFO)
    try:
        if _writes_to(streams[0], 1):
            with open(descriptors[0], "w", buffering=1, encoding=streams[0].encoding, closefd=False) as terminal:
                yield terminal
        else:
            yield streams[0]
    finally:
        root_logger.removeHandler(handler)
        root_logger.setLevel(level)
        _flush((log, *streams))
        for descriptor, saved in enumerate(descriptors, start=1):
            os.dup2(saved, descriptor)
            os.close(saved)
        sys.stdout, sys.stderr = streams


def _flush(streams: Iterable[TextIO]) -> None:
    for stream in streams:
        stream.flush()


def _writes_to(stream: TextIO, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError):
        return False
