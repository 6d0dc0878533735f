"""Keeps the versions on disk loaded, one model beside the other."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence

import tensorflow as tf

from serving.server.errors import ServingError, not_found
from serving.server.loader import load_servable
from serving.server.model_config import ModelConfig, check_model_configs
from serving.server.servable import Servable
from serving.server.transition import State, VersionRecord, next_transition
from serving.server.versions import aspired_versions, versions_on_disk

_LOGGER = logging.getLogger(__name__)


class ModelManager:
    """Watches the base paths of the models in a thread of its own, loads and unloads versions.

    Models are loaded in the order given, and all are looked up on disk before the first is loaded, the last one
    first: with the models of a release listed in the order they were pushed in, a version is available in
    the last model only when it is available in all.

    Args:
      models: what to serve.
      poll_interval_s: seconds between two looks at the disk; 0 looks once.
      max_num_load_retries: how often a failed load is tried again.
      load_retry_interval_s: seconds between two tries.
      released_versions: returns the versions that may be served at the moment; `None` stands for all on disk. While
        there is none of them, what is served stays.
    """

    def __init__(
        self,
        models: Sequence[ModelConfig],
        *,
        poll_interval_s: float,
        max_num_load_retries: int,
        load_retry_interval_s: float,
        released_versions: Callable[[], Collection[int]] | None = None,
    ):
        check_model_configs(models)
        self._models = list(models)
        self._poll_interval_s = poll_interval_s
        self._max_num_load_retries = max_num_load_retries
        self._load_retry_interval_s = load_retry_interval_s
        self._released_versions = released_versions
        self._aspired: dict[str, dict[int, str]] = {}
        self._records: dict[str, dict[int, VersionRecord]] = {model.name: {} for model in models}
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-manager", daemon=True)

    def start(self) -> None:
        """Starts to load and to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stops watching and lets go of every version."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._changed:
            self._records = {name: {} for name in self._records}

    def wait_until_available(self, timeout_s: float | None = None) -> list[str]:
        """Waits until every model either serves a version or has none left to try.

        Args:
          timeout_s: how long to wait; `None` waits for ever.

        Returns:
          One line for each model that does not serve: empty when all is well.
        """
        with self._changed:
            self._changed.wait_for(lambda: all(map(self._is_settled, self._records)), timeout_s)
            return [self._describe(name) for name in self._records if not self._available(name)]

    def servable(self, name: str, version: int | None = None) -> Servable:
        """Returns the given or else the highest available version of a model.

        Raises:
          ServingError: NOT_FOUND if it is not available.
        """
        with self._changed:
            available = self._available(name)
            if version is None and available:
                version = max(available)
            if version in available:
                return available[version]
        request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise not_found(f"Servable not found for request: {request}")

    def records(self, name: str) -> dict[int, VersionRecord]:
        """Returns what became of the model's versions, highest first; empty for an unknown model."""
        with self._changed:
            return dict(sorted(self._records.get(name, {}).items(), reverse=True))

    def _run(self) -> None:
        looks = True
        while not self._stopping.is_set():
            if looks:
                self._look()
            while any([self._advance(model.name) for model in self._models]):
                pass
            looks = self._poll_interval_s > 0
            retrying = any(r.retry_at_s is not None for name in self._records for r in self.records(name).values())
            self._stopping.wait(self._poll_interval_s or (self._load_retry_interval_s if retrying else None))

    def _look(self) -> None:
        released: Collection[int] | None = None
        if self._released_versions is not None:
            try:
                released = self._released_versions()
            except OSError as error:
                _LOGGER.warning("Cannot list the releases: %s", error)
                return
            if not released:
                _LOGGER.warning("Could not find any release")
                return
        for model in reversed(self._models):
            try:
                versions = versions_on_disk(model.base_path)
            except (OSError, tf.errors.OpError) as error:
                _LOGGER.warning("Cannot list base path %s of servable %s: %s", model.base_path, model.name, error)
                continue
            if versions is None:
                _LOGGER.warning("Could not find base path %s for servable %s", model.base_path, model.name)
                continue
            if released is not None:
                versions = {version: path for version, path in versions.items() if version in released}
            self._aspired[model.name] = aspired_versions(model.model_version_policy, versions)

    def _advance(self, name: str) -> bool:
        """Takes a model's next steps up to and including one load; returns whether it loaded.

        One load at a time: every model gets its highest version before any gets a second one.
        """
        aspired = self._aspired.get(name)
        if aspired is None:
            return False
        for version, record in self.records(name).items():
            if record.failed_loads and version not in aspired:
                self._record(name, version, VersionRecord(State.END, record.error))
        while not self._stopping.is_set():
            step = next_transition(self.records(name), aspired, time.monotonic())
            if step is None:
                break
            if step.action == "load":
                self._load(name, step.version, aspired[step.version])
                return True
            self._unload(name, step.version)
        return False

    def _load(self, name: str, version: int, path: str) -> None:
        failed_loads = self._records[name].get(version, VersionRecord(State.START)).failed_loads
        self._record(name, version, VersionRecord(State.LOADING, failed_loads=failed_loads))
        try:
            servable = load_servable(name, version, path)
        except ServingError as error:
            _LOGGER.error("Loading servable {name: %s version: %d} failed: %s", name, version, error.message)
            if failed_loads < self._max_num_load_retries:
                retry_at_s = time.monotonic() + self._load_retry_interval_s
                record = VersionRecord(State.LOADING, None, None, failed_loads + 1, retry_at_s)
            else:
                record = VersionRecord(State.END, error, None, failed_loads + 1)
            self._record(name, version, record)
            return
        self._record(name, version, VersionRecord(State.AVAILABLE, servable=servable))
        _LOGGER.info("Successfully loaded servable version {name: %s version: %d}", name, version)

    def _unload(self, name: str, version: int) -> None:
        self._record(name, version, VersionRecord(State.UNLOADING))
        gc.collect()  # a SavedModel is full of reference cycles and may hold gigabytes
        self._record(name, version, VersionRecord(State.END))
        _LOGGER.info("Unloaded servable version {name: %s version: %d}", name, version)

    def _record(self, name: str, version: int, record: VersionRecord) -> None:
        with self._changed:
            self._records[name] = {**self._records[name], version: record}
            self._changed.notify_all()

    def _available(self, name: str) -> dict[int, Servable]:
        records = self._records.get(name, {})
        return {version: record.servable for version, record in records.items() if record.servable is not None}

    def _is_settled(self, name: str) -> bool:
        aspired = self._aspired.get(name)
        if not aspired:
            return False
        records = self._records[name]
        return bool(self._available(name)) or all(
            version in records and records[version].state == State.END for version in aspired
        )

    def _describe(self, name: str) -> str:
        problems = [
            f"version {version}: {record.error.message if record.error else 'still loading'}"
            for version, record in self.records(name).items()
        ]
        return f"{name} ({'; '.join(problems) or 'no version found'})"
