"""The server program: from settings to a running server."""

import logging

import tensorflow as tf

from serving.server.config_watcher import ConfigWatcher
from serving.server.server import ModelServer
from serving.server.settings import Settings

_LOGGER = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serves until SIGTERM.

    Raises:
      ServeError: the server cannot start.
    """
    flags = settings.flags
    within = flags.tensorflow_session_parallelism or flags.tensorflow_intra_op_parallelism
    between = flags.tensorflow_session_parallelism or flags.tensorflow_inter_op_parallelism
    if within:
        tf.config.threading.set_intra_op_parallelism_threads(within)
    if between:
        tf.config.threading.set_inter_op_parallelism_threads(between)
    server = ModelServer(
        settings.models,
        poll_interval_s=flags.file_system_poll_wait_seconds,
        max_num_load_retries=flags.max_num_load_retries,
        load_retry_interval_s=max(flags.load_retry_interval_micros, 0) / 1e6,
        loading=settings.loading,
        grpc_options=settings.grpc,
        rest_options=settings.rest,
        batching=settings.batching,
        allow_version_labels_for_unavailable_models=flags.allow_version_labels_for_unavailable_models,
    )
    watcher = ConfigWatcher(flags.model_config_file, flags.model_config_file_poll_wait_seconds, server.reloader)

    def report_start() -> None:
        watcher.start()
        _LOGGER.info("Running gRPC ModelServer at %s ...", server.target)
        if server.rest_port is not None:
            _LOGGER.info("Exporting HTTP/REST API at: %s:%d ...", settings.grpc.host, server.rest_port)

    try:
        server.run(report_start)
    finally:
        watcher.stop()


def version_text() -> str:
    """Returns what `--version` prints."""
    return f"TensorFlow ModelServer: lcron's embedded server\nTensorFlow Library: {tf.version.VERSION}"
