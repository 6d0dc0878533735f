"""Follows a model configuration while the server runs."""

import logging
import threading
from collections.abc import Callable

from serving.server.errors import ServingError
from serving.server.messages import TextMessageError
from serving.server.models.model_config import ModelServerConfig
from serving.server.models.reload import ConfigReloader

_LOGGER = logging.getLogger(__name__)


class ConfigWatcher:
    """Reads a configuration again and again and has the server serve what it says.

    Args:
      origin: where the configuration comes from, for the log.
      read: returns it; a TextMessageError or ServingError of its leaves what is served as it is.
      poll_interval_s: seconds between two looks; 0 never looks.
      reloader: of the server.
    """

    def __init__(
        self, origin: str, read: Callable[[], ModelServerConfig], poll_interval_s: float, reloader: ConfigReloader
    ):
        self._origin = origin
        self._read = read
        self._poll_interval_s = poll_interval_s
        self._reloader = reloader
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config-watcher", daemon=True)

    def start(self) -> None:
        """Starts to follow it."""
        if self._poll_interval_s > 0:
            self._thread.start()

    def stop(self) -> None:
        """Stops following it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        served = None
        while not self._stopping.wait(self._poll_interval_s):
            try:
                config = self._read()
                if config != served:
                    self._reloader.reload(config, lambda: not self._stopping.is_set())
                served = config
            except (TextMessageError, ServingError) as error:
                _LOGGER.error("%s was not taken over: %s", self._origin, error)
