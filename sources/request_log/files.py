"""Reads the files of a request log: gzipped TFRecords and JSON lines."""

import gzip
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sources.reading import DataError

_HEADER = struct.Struct("<QI")  # length, and its checksum
_FOOTER_SIZE = 4  # checksum of the record


def read_tfrecords(path: Path) -> Iterator[bytes]:
    """Yields the records of a gzipped TFRecord file. What fails is gzip's checksum, over all of them.

    Raises:
      DataError: the file is missing, truncated or corrupt.
    """
    try:
        with gzip.open(path) as file:
            while header := file.read(_HEADER.size):
                length, _ = _HEADER.unpack(header)
                record = file.read(length + _FOOTER_SIZE)
                if len(record) != length + _FOOTER_SIZE:
                    raise EOFError(f"a record of {length} bytes is cut")
                yield record[:length]
    except (OSError, EOFError, zlib.error, struct.error, OverflowError, MemoryError) as error:
        raise DataError(f"{path}: expected a gzipped TFRecord file. Received: {error}") from None


def read_json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each object of a file of JSON lines, and `"<file>: line <n>"`; empty lines are passed over.

    Raises:
      DataError: the file cannot be read, or a line is no JSON object.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                origin = f"{path}: line {number}"
                try:
                    value = json.loads(line)
                except json.JSONDecodeError:
                    value = None
                if not isinstance(value, dict):
                    raise DataError(f"{origin} must be a JSON object. Received: {line.strip()[:100]!r}")
                yield origin, value
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a readable text file in UTF-8. Received: {error}") from None
