"""The server program: from flags to a running server."""

import argparse
import logging

import tensorflow as tf

from serving.server.config_watcher import ConfigWatcher
from serving.server.credentials import server_credentials
from serving.server.grpc_server import GrpcOptions, ServeError
from serving.server.loader import LoadOptions
from serving.server.messages import TextMessageError
from serving.server.model_config import ModelConfig, ModelConfigError, model_config, read_model_config_file
from serving.server.server import ModelServer

_LOGGER = logging.getLogger(__name__)


StartError = (ModelConfigError, TextMessageError, ServeError)
"""Why a program cannot start: a configuration file that cannot be read, a port that is taken, a broken model."""


def run(flags: argparse.Namespace) -> None:
    """Serves until SIGTERM.

    Args:
      flags: checked.

    Raises:
      StartError: the server cannot start.
    """
    _set_parallelism(flags)
    server = ModelServer(
        _models(flags),
        port=flags.port,
        host=flags.host,
        poll_interval_s=flags.file_system_poll_wait_seconds,
        max_num_load_retries=flags.max_num_load_retries,
        load_retry_interval_s=max(flags.load_retry_interval_micros, 0) / 1e6,
        grpc_max_threads=flags.grpc_max_threads,
        loading=LoadOptions(
            tags=tuple(flags.saved_model_tags.split(",")),
            warms_up=flags.enable_model_warmup,
            warmup_iterations=flags.num_request_iterations_for_warmup or 1,
            checks_method_names=flags.enable_signature_method_name_check,
        ),
        grpc_options=_grpc_options(flags),
        allow_version_labels_for_unavailable_models=flags.allow_version_labels_for_unavailable_models,
    )
    watcher = ConfigWatcher(flags.model_config_file, flags.model_config_file_poll_wait_seconds, server.reloader)

    def report_start() -> None:
        watcher.start()
        _LOGGER.info("Running gRPC ModelServer at %s ...", server.target)

    try:
        server.run(report_start)
    finally:
        watcher.stop()


def version_text() -> str:
    """Returns what `--version` prints."""
    return f"TensorFlow ModelServer: lcron's embedded server\nTensorFlow Library: {tf.version.VERSION}"


def _models(flags: argparse.Namespace) -> list[ModelConfig]:
    if flags.model_config_file:
        return read_model_config_file(flags.model_config_file)
    return [model_config(flags.model_name, flags.model_base_path)]


def _grpc_options(flags: argparse.Namespace) -> GrpcOptions:
    pairs = [pair.split("=", 1) for pair in flags.grpc_channel_arguments.split(",") if pair]
    return GrpcOptions(
        socket_path=flags.grpc_socket_path or None,
        credentials=server_credentials(flags.ssl_config_file) if flags.ssl_config_file else None,
        channel_arguments=[(name, _number_or_text(value)) for name, value in pairs],
        has_health_service=flags.enable_grpc_healthcheck_service,
    )


def _number_or_text(value: str) -> int | str:
    try:
        return int(value)
    except ValueError:
        return value


def _set_parallelism(flags: argparse.Namespace) -> None:
    within = flags.tensorflow_session_parallelism or flags.tensorflow_intra_op_parallelism
    between = flags.tensorflow_session_parallelism or flags.tensorflow_inter_op_parallelism
    if within:
        tf.config.threading.set_intra_op_parallelism_threads(within)
    if between:
        tf.config.threading.set_inter_op_parallelism_threads(between)
