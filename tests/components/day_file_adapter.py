"""An adapter of JSON lines, `<day>.requests` and `items`, such as a user of the pipeline may bring along."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from sources.adapter import Count, Record, Shard
from sources.reading import DataError


class DayFileAdapter:
    def __init__(self, data_dir: str, drop_user: str = ""):
        self.data_dir = Path(data_dir)
        self.drop_user = drop_user

    def days(self) -> tuple[str, ...]:
        return tuple(sorted(file.stem for file in self.data_dir.glob("*.requests")))

    def files(self, days: Sequence[str]) -> tuple[Path, ...]:
        return tuple(self.data_dir / name for name in (*(f"{day}.requests" for day in days), "items"))

    def request_shards(self, days: Sequence[str]) -> tuple[Shard, ...]:
        return tuple(Shard(day, index, 2) for day in days for index in range(2))

    def read_requests(self, shard: Shard, count: Count) -> Iterator[Record]:
        for number, record in enumerate(_read(self.data_dir / f"{shard.day}.requests")):
            if number % shard.count != shard.index:
                continue
            if record["user_id"] == [self.drop_user]:
                count("dropped_user", 1)
            else:
                yield record

    def read_catalogue(self, days: Sequence[str], count: Count) -> Iterator[Record]:
        yield from _read(self.data_dir / "items")

    def read_newest_catalogue(self, count: Count) -> Iterator[Record]:
        yield from _read(self.data_dir / "items")


def _read(file: Path) -> Iterator[Record]:
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{file}: line {number} must be JSON. Received: {line!r}") from error
