"""Follows a model configuration file while the server runs."""

import logging
import threading

from serving.server.errors import ServingError
from serving.server.messages import TextMessageError, read_text_message
from serving.server.model_config import ModelServerConfig
from serving.server.reload import ConfigReloader

_LOGGER = logging.getLogger(__name__)


class ConfigWatcher:
    """Reads a file again and again and has the server serve what it says.

    Args:
      path: of the text-format ModelServerConfig.
      poll_interval_s: seconds between two looks; 0 never looks.
      reloader: of the server.
    """

    def __init__(self, path: str, poll_interval_s: float, reloader: ConfigReloader):
        self._path = path
        self._poll_interval_s = poll_interval_s
        self._reloader = reloader
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config-watcher", daemon=True)

    def start(self) -> None:
        """Starts to follow the file."""
        if self._path and self._poll_interval_s > 0:
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
                config = read_text_message(self._path, ModelServerConfig)
                if config != served:
                    self._reloader.reload(config, lambda: not self._stopping.is_set())
                served = config
            except (TextMessageError, ServingError) as error:
                _LOGGER.error("%s was not taken over: %s", self._path, error)
