"""The server program: from settings to a running server."""

import logging

import tensorflow as tf

from serving.server.messages import read_text_message
from serving.server.models.model_config import ModelServerConfig
from serving.server.program.config_watcher import ConfigWatcher
from serving.server.program.server import ModelServer
from serving.server.program.settings import Settings

_LOGGER = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serves until SIGTERM.

    Raises:
      ServeError: the server cannot start.
    """
    flags = settings.flags
    set_parallelism(settings)
    server = ModelServer(settings.models, **settings.server_options())
    path = flags.model_config_file
    poll_interval_s = flags.model_config_file_poll_wait_seconds if path else 0
    watcher = ConfigWatcher(path, lambda: read_text_message(path, ModelServerConfig), poll_interval_s, server.reloader)

    def report_start() -> None:
        watcher.start()
        _LOGGER.info("Running gRPC ModelServer at %s ...", server.target)
        if server.rest_port is not None:
            _LOGGER.info("Exporting HTTP/REST API at: %s:%d ...", settings.grpc.host, server.rest_port)

    try:
        server.run(report_start)
    finally:
        watcher.stop()


def set_parallelism(settings: Settings) -> None:
    """Gives TensorFlow the threads that the flags ask for, before it is used."""
    flags = settings.flags
    within = flags.tensorflow_session_parallelism or flags.tensorflow_intra_op_parallelism
    between = flags.tensorflow_session_parallelism or flags.tensorflow_inter_op_parallelism
    if within:
        tf.config.threading.set_intra_op_parallelism_threads(within)
    if between:
        tf.config.threading.set_inter_op_parallelism_threads(between)


def version_text() -> str:
    """Returns what `--version` prints."""
    return f"TensorFlow ModelServer: lcron's embedded server\nTensorFlow Library: {tf.version.VERSION}"
