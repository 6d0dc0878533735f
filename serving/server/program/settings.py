"""What the flags and the files that they name say, without TensorFlow."""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

from serving.server.batching.parameters import BatchingOptions, read_batching_parameters
from serving.server.messages import MonitoringConfig, read_text_message
from serving.server.models.model_config import ModelConfig, model_config, read_model_config_file
from serving.server.options import GrpcOptions, LoadOptions, RestOptions
from serving.server.program.credentials import server_credentials

METRICS_PATH = "/monitoring/prometheus/metrics"


@dataclasses.dataclass(frozen=True)
class Settings:
    """A server as its command line describes it.

    Args:
      models: what to serve first.
      flags: the command line.
      grpc: how the gRPC side listens.
      rest: how the REST side listens; `None` stands for no REST.
      loading: how models are loaded.
      batching: how calls are joined; `None` joins none.
    """

    models: Sequence[ModelConfig]
    flags: argparse.Namespace
    grpc: GrpcOptions
    rest: RestOptions | None
    loading: LoadOptions
    batching: BatchingOptions | None

    def server_options(self) -> dict[str, Any]:
        """Returns what a `ModelServer` takes, but for the models."""
        return {
            "poll_interval_s": self.flags.file_system_poll_wait_seconds,
            "max_num_load_retries": self.flags.max_num_load_retries,
            "load_retry_interval_s": max(self.flags.load_retry_interval_micros, 0) / 1e6,
            "loading": self.loading,
            "grpc_options": self.grpc,
            "rest_options": self.rest,
            "batching": self.batching,
            "allow_version_labels_for_unavailable_models": self.flags.allow_version_labels_for_unavailable_models,
        }


def read_settings(flags: argparse.Namespace) -> Settings:
    """Reads every file that the flags name.

    Raises:
      ModelConfigError: the models cannot be served.
      TextMessageError: another file cannot be read.
    """
    return Settings(
        models=_models(flags),
        flags=flags,
        grpc=_grpc(flags),
        rest=_rest(flags),
        loading=_loading(flags),
        batching=_batching(flags),
    )


def _models(flags: argparse.Namespace) -> list[ModelConfig]:
    if flags.model_config_file:
        return read_model_config_file(flags.model_config_file)
    return [model_config(flags.model_name, flags.model_base_path)] if flags.model_base_path else []


def _grpc(flags: argparse.Namespace) -> GrpcOptions:
    pairs = [pair.split("=", 1) for pair in flags.grpc_channel_arguments.split(",") if pair]
    return GrpcOptions(
        host=flags.host,
        port=flags.port,
        socket_path=flags.grpc_socket_path or None,
        credentials=server_credentials(flags.ssl_config_file) if flags.ssl_config_file else None,
        max_threads=flags.grpc_max_threads,
        channel_arguments=[(name, _number_or_text(value)) for name, value in pairs],
        has_health_service=flags.enable_grpc_healthcheck_service,
    )


def _rest(flags: argparse.Namespace) -> RestOptions | None:
    metrics_path = None
    if flags.monitoring_config_file:
        prometheus = read_text_message(flags.monitoring_config_file, MonitoringConfig).prometheus_config
        metrics_path = (prometheus.path or METRICS_PATH) if prometheus.enable else None
    if not flags.rest_api_port:
        return None
    return RestOptions(
        port=flags.rest_api_port,
        num_threads=flags.rest_api_num_threads,
        timeout_s=flags.rest_api_timeout_in_ms / 1000,
        enables_cors=flags.rest_api_enable_cors_support,
        metrics_path=metrics_path,
    )


def _loading(flags: argparse.Namespace) -> LoadOptions:
    return LoadOptions(
        tags=flags.saved_model_tags.split(","),
        warms_up=flags.enable_model_warmup,
        warmup_iterations=flags.num_request_iterations_for_warmup or 1,
        checks_method_names=flags.enable_signature_method_name_check,
    )


def _batching(flags: argparse.Namespace) -> BatchingOptions | None:
    if not flags.enable_batching:
        return None
    if not flags.batching_parameters_file:
        return BatchingOptions()
    return read_batching_parameters(flags.batching_parameters_file)


def _number_or_text(value: str) -> int | str:
    try:
        return int(value)
    except ValueError:
        return value
