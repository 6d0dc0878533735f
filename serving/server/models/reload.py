"""Another configuration for a running server."""

import logging
import threading
from collections.abc import Callable

import grpc
from tensorflow_serving.config import model_server_config_pb2

from serving.server.errors import ServingError, invalid_argument
from serving.server.models.labels import VersionLabels
from serving.server.models.manager import ModelManager
from serving.server.models.model_config import ModelConfigError, check_model_configs

_LOGGER = logging.getLogger(__name__)
_WAIT_S = 0.5  # between two looks whether the caller still waits


class ConfigReloader:
    """Replaces what a server serves.

    Args:
      manager: loads and unloads the models.
      labels: the names of their versions.
    """

    def __init__(self, manager: ModelManager, labels: VersionLabels):
        self._manager = manager
        self._labels = labels
        self._lock = threading.Lock()

    def reload(
        self, config: model_server_config_pb2.ModelServerConfig, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Serves the models of `config` from now on and waits until the new ones are available.

        A model that is left out is unloaded. What is wrong with the configuration changes nothing.

        Args:
          config: with a `model_config_list`.
          is_wanted: whether the caller still waits.

        Raises:
          ServingError: INVALID_ARGUMENT for a configuration that cannot be served, FAILED_PRECONDITION for a label on a
            version that is not available, UNKNOWN if a new model did not become available.
        """
        if config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        models = list(config.model_config_list.config)
        with self._lock:
            before = {model.name for model in self._manager.models}
            try:
                check_model_configs(models)
            except ModelConfigError as error:
                raise invalid_argument(str(error)) from None
            self._labels.assign(models)
            self._manager.reload(models)
        new = [model.name for model in models if model.name not in before]
        _LOGGER.info("Reloaded the configuration: %s", ", ".join(model.name for model in models) or "no model")
        missing = self._wait(new, is_wanted)
        if missing:
            message = f"{len(missing)} model(s) did not become available: {{{', '.join(missing)}}}"
            raise ServingError(grpc.StatusCode.UNKNOWN, message)

    def _wait(self, names: list[str], is_wanted: Callable[[], bool]) -> list[str]:
        while is_wanted():
            if self._manager.is_settled(names, _WAIT_S):
                return self._manager.missing(names)
        return []
