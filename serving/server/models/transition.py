"""The next step from the versions that are served to those that should be."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from tensorflow_serving.apis import get_model_status_pb2

from serving.server.calls.servable import Servable
from serving.server.errors import ServingError

State = get_model_status_pb2.ModelVersionStatus


@dataclasses.dataclass(frozen=True)
class VersionRecord:
    """What became of one version of a model.

    Args:
      state: a value of TF Serving's `ModelVersionStatus.State`.
      error: why it could not be loaded, if so.
      servable: what answers its calls while it is AVAILABLE.
      failed_loads: how often loading failed so far.
      retry_at_s: time of the next try, on the monotonic clock; `None` when no try is left.
    """

    state: int
    error: ServingError | None = None
    servable: Servable | None = None
    failed_loads: int = 0
    retry_at_s: float | None = None


class Transition(NamedTuple):
    """One step: load or unload one version."""

    action: Literal["load", "unload"]
    version: int


def next_transition(records: Mapping[int, VersionRecord], aspired: Collection[int], now_s: float) -> Transition | None:
    """Chooses the next step so that a model which has something to serve never stops serving.

    A version that is no longer wanted goes when a wanted one is available, and before another is loaded, so
    that memory never holds more than it must. Otherwise the highest wanted version is loaded. A version that
    failed for good stays out until it leaves the disk.

    Args:
      records: the known versions.
      aspired: the versions that should be served.
      now_s: the monotonic clock.

    Returns:
      The step, or `None` when there is nothing to do.
    """
    available = {version for version, record in records.items() if record.state == State.AVAILABLE}
    unwanted = available.difference(aspired)
    if unwanted and (not aspired or available.intersection(aspired)):
        return Transition("unload", min(unwanted))
    waiting = [version for version in aspired if _may_load(records.get(version), now_s)]
    return Transition("load", max(waiting)) if waiting else None


def _may_load(record: VersionRecord | None, now_s: float) -> bool:
    if record is None or record.state == State.START:
        return True
    if record.state == State.LOADING:
        return record.retry_at_s is not None and record.retry_at_s <= now_s
    return record.state == State.END and not record.failed_loads
