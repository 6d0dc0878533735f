"""What a data set must offer so that the pipeline can read it."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

Record = Mapping[str, Sequence[str] | Sequence[int] | Sequence[float]]
"""One example before serialisation: feature name to a list of `str`, `int` or `float` values."""

Count = Callable[[str, int], None]
"""Receives `(policy name, how many)` for every record that a stated policy dropped or altered."""


@dataclasses.dataclass(frozen=True)
class Shard:
    """A unit of reading work: the part `index` of `count` of one day."""

    day: str
    index: int = 0
    count: int = 1


class Adapter(Protocol):
    """Reads one data set's files into the request and catalogue examples of docs/reference.md.

    An adapter is cheap to construct, picklable, and checks lazily: `days` and `files` look at names only.
    """

    def days(self) -> tuple[str, ...]:
        """Returns the ISO days (`"2024-01-13"`) that the data holds, in order."""
        ...

    def files(self, days: Sequence[str]) -> tuple[Path, ...]:
        """Returns the files that the requests and the catalogue of `days` depend on."""
        ...

    def request_shards(self, days: Sequence[str]) -> tuple[Shard, ...]:
        """Returns the units of work that together hold every request of `days`."""
        ...

    def read_requests(self, shard: Shard, count: Count) -> Iterator[Record]:
        """Yields the request records of `shard`.

        Raises:
          DataError: a file is missing, truncated, corrupt, or breaks the layout.
        """
        ...

    def read_catalogue(self, days: Sequence[str], count: Count) -> Iterator[Record]:
        """Yields one record per catalogue item known on `days`, ordered by item id.

        Raises:
          DataError: a file is missing, truncated, corrupt, or breaks the layout.
        """
        ...

    def read_newest_catalogue(self, count: Count) -> Iterator[Record]:
        """Yields what `read_catalogue` does, of the items that the data has now, whatever days have requests.

        Raises:
          DataError: a file is missing, truncated, corrupt, or breaks the layout.
        """
        ...
