"""Requests on disk, packed: records of one size, one after the other, and an index that says what is in them."""

import dataclasses
import itertools
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from trainer.config.json_text import from_json, to_json
from trainer.data.catalogue_misses import CatalogueMisses
from trainer.data.input import ParsedBatch, Requests
from trainer.whole_file import left_overs, whole_file

_INDEX, _RECORDS = "index.json", "requests.bin"
_BLOCK_BYTES = 1 << 22


@dataclasses.dataclass(frozen=True)
class Column:
    """One key of the training batch.

    Args:
      name: the key.
      dtype: as NumPy writes it, such as `"<i4"`.
      shape: of the value of one request.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """What a file of packed requests holds.

    Args:
      columns: of a record, one behind the other.
      num_requests: records of the file.
      misses: how many of their items the catalogue lacks.
      crc32: of the file and of this index without it.
    """

    columns: tuple[Column, ...]
    num_requests: int
    misses: CatalogueMisses
    crc32: int = 0

    @property
    def dtype(self) -> np.dtype:
        """Of one record."""
        return np.dtype([(column.name, column.dtype, column.shape) for column in self.columns])

    def with_crc32(self, crc32_of_file: int) -> "RecordIndex":
        """Returns the index with its `crc32`."""
        plain = dataclasses.replace(self, crc32=0)
        return dataclasses.replace(self, crc32=zlib.crc32(to_json(plain).encode(), crc32_of_file))


class DamagedRecordsError(ValueError):
    """Packed requests are not what was written."""


def write_records(folder: Path, batches: Iterable[ParsedBatch]) -> tuple[Requests, CatalogueMisses]:
    """Writes requests as they come; they count as written when this returns.

    A request is one record, so that it takes one read of the disk to look it up, whatever the number of its columns.

    Args:
      folder: to write into. Who has mapped requests that were there before keeps those.
      batches: of the requests, at least one.

    Returns:
      The requests, mapped into memory, and how many of their items the catalogue lacks.

    Raises:
      OSError: the disk is full, or the folder cannot be written to.
    """
    for left_over in left_overs(folder / _RECORDS):
        left_over.unlink()
    batches = iter(batches)
    first = next(batches)
    columns = [Column(name, values.dtype.str, values.shape[1:]) for name, values in first.requests.items()]
    index, crc32 = RecordIndex(tuple(columns), 0, CatalogueMisses(0, 0, 0, 0)), 0
    with whole_file(folder / _RECORDS) as file:
        for batch in itertools.chain([first], batches):
            num_requests = len(next(iter(batch.requests.values())))
            index = dataclasses.replace(
                index, num_requests=index.num_requests + num_requests, misses=index.misses + batch.misses
            )
            records = np.empty(num_requests, index.dtype)
            for name, values in batch.requests.items():
                records[name] = values
            content = records.tobytes()
            file.write(content)
            crc32 = zlib.crc32(content, crc32)
    with whole_file(folder / _INDEX) as file:
        file.write(to_json(index.with_crc32(crc32)).encode())
    return _mapped(folder, index)


def read_records(folder: Path) -> tuple[Requests, CatalogueMisses] | None:
    """Maps what `write_records` wrote into memory, having read it through once.

    Args:
      folder: that was written into.

    Returns:
      The requests, and how many of their items the catalogue lacks; `None` if none were written, or only half.

    Raises:
      DamagedRecordsError: the files are not what was written.
      OSError: they cannot be read.
    """
    try:
        text = (folder / _INDEX).read_bytes()
    except FileNotFoundError:
        return None
    path = folder / _RECORDS
    try:
        index = from_json(RecordIndex, text.decode())
        num_bytes, crc32 = index.num_requests * index.dtype.itemsize, 0
        if os.path.getsize(path) != num_bytes:
            raise DamagedRecordsError(f"{path} must have {num_bytes:,} bytes. Received: {os.path.getsize(path):,}")
        with open(path, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                crc32 = zlib.crc32(block, crc32)
        if index.with_crc32(crc32) != index:
            raise DamagedRecordsError(f"{path} has changed since it was written")
        return _mapped(folder, index)
    except (ValueError, TypeError, FileNotFoundError) as error:
        raise DamagedRecordsError(str(error)) from error


def _mapped(folder: Path, index: RecordIndex) -> tuple[Requests, CatalogueMisses]:
    records = np.asarray(np.memmap(folder / _RECORDS, index.dtype, "r", shape=(index.num_requests,)))
    return {column.name: records[column.name] for column in index.columns}, index.misses
