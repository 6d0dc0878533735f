"""What became of every version of every model."""

import threading
from collections.abc import Callable

from serving.server.calls.servable import Servable
from serving.server.errors import not_found
from serving.server.models.transition import VersionRecord


class VersionTable:
    """Records that one thread writes and every thread reads."""

    def __init__(self) -> None:
        self._records: dict[str, dict[int, VersionRecord]] = {}
        self._changed = threading.Condition()

    def servable(self, name: str, version: int | None = None) -> Servable:
        """Returns the given or else the highest available version of a model.

        Raises:
          ServingError: NOT_FOUND if it is not available.
        """
        available = self.available(name)
        if version is None and available:
            version = max(available)
        if version in available:
            return available[version]
        request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise not_found(f"Servable not found for request: {request}")

    def available(self, name: str) -> dict[int, Servable]:
        """Returns the versions of a model that answer calls."""
        records = self._records.get(name, {})
        return {version: record.servable for version, record in records.items() if record.servable is not None}

    def records(self, name: str) -> dict[int, VersionRecord]:
        """Returns what became of the model's versions, highest first; empty for an unknown model."""
        return dict(sorted(self._records.get(name, {}).items(), reverse=True))

    def names(self) -> list[str]:
        """Returns the models that have or had a version."""
        return list(self._records)

    def record(self, name: str, version: int, record: VersionRecord) -> None:
        """Writes down what became of a version."""
        with self._changed:
            # Readers hold no lock: they see the old dictionary or the new one.
            self._records = {**self._records, name: {**self._records.get(name, {}), version: record}}
            self._changed.notify_all()

    def clear(self) -> None:
        """Forgets everything, the servables too."""
        with self._changed:
            self._records = {}

    def notify(self) -> None:
        """Wakes those who wait for something that has changed elsewhere."""
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Waits until `condition` holds; returns whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)
