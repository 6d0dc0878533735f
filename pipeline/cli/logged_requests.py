"""Requests out of the raw logs, for the commands that ask or evaluate a release."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sources.adapter import Adapter, Record

if TYPE_CHECKING:
    from pipeline.experiment import ExperimentConfig
    from serving.client import Request
    from trainer.data.features import FeatureSpec


def open_adapter(experiment: "ExperimentConfig", data: Path) -> Adapter:
    """Returns the experiment's adapter over the logs in `data`."""
    from components.example_gen.adapters import load_adapter

    return load_adapter(experiment.adapter.declare(data))


def read_day(adapter: Adapter, day: str) -> Iterator[Record]:
    """Yields the request records of one day."""
    for shard in adapter.request_shards([day]):
        yield from adapter.read_requests(shard, lambda policy, number: None)


def latest_request(adapter: Adapter, user: str | None) -> Record:
    """Returns the newest logged request of a user, or the last day's first request if no user is named.

    Raises:
      click.ClickException: no request of that user is logged.
    """
    for day in reversed(adapter.days()):
        newest: Record | None = None
        for record in read_day(adapter, day):
            if user is None:
                return record
            if record["user_id"][0] == user and (newest is None or _time(record) >= _time(newest)):
                newest = record
        if newest is not None:
            return newest
    raise click.ClickException(f"--user: no request of user {user!r} is logged")


def as_request(
    record: Record,
    features: "FeatureSpec",
    k: int,
    exclude: Sequence[str] = (),
    filters: Mapping[str, Sequence[str]] | None = None,
) -> "Request":
    """Returns a logged request as a client asks it.

    Args:
      record: of the adapter.
      features: that the model reads.
      k: items wanted.
      exclude: items that must not be recommended, beside the logged ones.
      filters: values that an item must have one of, by feature.
    """
    from serving import signatures
    from serving.client import Request

    scalars = {feature.name for feature in features.request} | {signatures.REQUEST_TIME_MS}
    scalars.discard(signatures.USER_ID)
    columns = {"item_id": signatures.HISTORY_ITEM_ID, **{each.name: each.example_name for each in features.history}}
    return Request(
        str(record[signatures.USER_ID][0]),
        {name: record[name][0] for name in sorted(scalars) if record.get(name)},
        {column: record.get(name, ()) for column, name in columns.items()},
        k,
        [*map(str, record.get(signatures.EXCLUDE_ITEM_ID, ())), *exclude],
        filters or {},
    )


def _time(record: Record) -> int:
    return int(record["request_time_ms"][0])
