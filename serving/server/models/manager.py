"""Keeps the versions on disk loaded, one model beside the other."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from serving.server.calls.servable import Servable
from serving.server.errors import ServingError
from serving.server.models.loader import Loader
from serving.server.models.model_config import ModelConfig, check_model_configs
from serving.server.models.transition import State, VersionRecord, next_transition
from serving.server.models.version_source import Aspired, VersionSource
from serving.server.models.version_table import VersionTable

_LOGGER = logging.getLogger(__name__)

Load: TypeAlias = Callable[[str, int, str], Servable]
"""Loads version `int` of model `str` from folder `str`."""


class ModelManager:
    """Watches the base paths of the models in a thread of its own, loads and unloads versions.

    Models are loaded in the order given, and all are looked up on disk before the first is loaded: with the models of
    a release listed in the order they were pushed in, a version is available in the last model only when it is
    available in all.

    Args:
      models: what to serve.
      poll_interval_s: seconds between two looks at the disk; 0 looks once.
      max_num_load_retries: how often a failed load is tried again.
      load_retry_interval_s: seconds between two tries.
      released_versions: returns the versions that may be served at the moment; `None` stands for all on disk. While
        there is none of them, what is served stays.
      load: loads a version; `None` stands for a Loader with its own defaults.

    Raises:
      ModelConfigError: `models` cannot be served.
    """

    def __init__(
        self,
        models: Sequence[ModelConfig],
        *,
        poll_interval_s: float,
        max_num_load_retries: int,
        load_retry_interval_s: float,
        released_versions: Callable[[], Collection[int]] | None = None,
        load: Load | None = None,
    ):
        check_model_configs(models)
        self.versions = VersionTable()
        self._models = list(models)
        self._poll_interval_s = poll_interval_s
        self._max_num_load_retries = max_num_load_retries
        self._load_retry_interval_s = load_retry_interval_s
        self._source = VersionSource(released_versions)
        self._load_servable = load or Loader()
        self._aspired: Aspired = {}
        self._seen_models: list[ModelConfig] | None = None  # those of the last look
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="model-manager", daemon=True)

    @property
    def models(self) -> list[ModelConfig]:
        """What to serve."""
        return self._models

    def start(self) -> None:
        """Starts to load and to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stops watching and lets go of every version."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self.versions.clear()

    def reload(self, models: Sequence[ModelConfig]) -> None:
        """Serves other models from now on: those that are left out are unloaded, new ones are loaded.

        Raises:
          ModelConfigError: `models` cannot be served.
        """
        check_model_configs(models)
        self._models = list(models)
        self._wake.set()

    def is_settled(self, names: Collection[str], timeout_s: float | None = None) -> bool:
        """Waits until models either serve a version or have none left to try; returns whether it is so.

        Args:
          names: of the models.
          timeout_s: how long to wait; `None` waits for ever.
        """
        return self.versions.wait_for(
            lambda: self._seen_models is self._models and all(map(self._is_settled, names)), timeout_s
        )

    def missing(self, names: Collection[str]) -> list[str]:
        """Returns one line for each of the models that serves no version: what became of its versions."""
        return [self._describe(name) for name in names if not self.versions.available(name)]

    def _run(self) -> None:
        looks = True
        while not self._stopping:
            if looks or self._seen_models is not self._models:
                self._look()
            while any([self._advance(name) for name in self._names()]):
                pass
            looks = self._poll_interval_s > 0
            self._wake.wait(self._pause_s())
            self._wake.clear()

    def _look(self) -> None:
        models = self._models
        self._aspired = self._source.look(models, self._aspired)
        self._seen_models = models
        self.versions.notify()

    def _pause_s(self) -> float | None:
        if self._poll_interval_s > 0:
            return self._poll_interval_s
        records = [record for name in self.versions.names() for record in self.versions.records(name).values()]
        tries = [record.retry_at_s for record in records if record.retry_at_s is not None]
        return max(min(tries) - time.monotonic(), 0.0) if tries else None

    def _names(self) -> list[str]:
        configured = [model.name for model in self._models]
        return configured + [name for name in self.versions.names() if name not in configured]

    def _advance(self, name: str) -> bool:
        """Takes a model's next steps up to and including one load; returns whether it loaded.

        One load at a time: every model gets its highest version before any gets a second one.
        """
        aspired = self._aspired.get(name, {})
        for version, record in self.versions.records(name).items():
            if record.failed_loads and version not in aspired:
                self.versions.record(name, version, VersionRecord(State.END, record.error))
        while not self._stopping:
            step = next_transition(self.versions.records(name), aspired, time.monotonic())
            if step is None:
                break
            if step.action == "load":
                self._load(name, step.version, aspired[step.version])
                return True
            self._unload(name, step.version)
        return False

    def _load(self, name: str, version: int, path: str) -> None:
        failed_loads = self.versions.records(name).get(version, VersionRecord(State.START)).failed_loads
        self.versions.record(name, version, VersionRecord(State.LOADING, failed_loads=failed_loads))
        try:
            servable = self._load_servable(name, version, path)
        except ServingError as error:
            _LOGGER.error("Loading servable: {name: %s version: %d} failed: %s", name, version, error)
            if failed_loads < self._max_num_load_retries:
                retry_at_s = time.monotonic() + self._load_retry_interval_s
                record = VersionRecord(State.LOADING, None, None, failed_loads + 1, retry_at_s)
            else:
                record = VersionRecord(State.END, error, None, failed_loads + 1)
            self.versions.record(name, version, record)
            return
        self.versions.record(name, version, VersionRecord(State.AVAILABLE, servable=servable))
        _LOGGER.info("Successfully loaded servable version {name: %s version: %d}", name, version)

    def _unload(self, name: str, version: int) -> None:
        self.versions.record(name, version, VersionRecord(State.UNLOADING))
        gc.collect()  # a SavedModel is full of reference cycles and may hold gigabytes
        self.versions.record(name, version, VersionRecord(State.END))
        _LOGGER.info("Done unloading servable version {name: %s version: %d}", name, version)

    def _is_settled(self, name: str) -> bool:
        if self.versions.available(name):
            return True
        records = self.versions.records(name)
        ended = {version for version, record in records.items() if record.state == State.END and record.failed_loads}
        aspired = self._aspired.get(name, {})
        return bool(aspired) and ended.issuperset(aspired)

    def _describe(self, name: str) -> str:
        problems = [
            f"version {version}: {record.error.message if record.error else 'still loading'}"
            for version, record in self.versions.records(name).items()
        ]
        return f"{name} ({'; '.join(problems) or 'no version found'})"
