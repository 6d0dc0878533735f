"""The command line of TF Serving."""

import argparse
from collections.abc import Sequence
from typing import NoReturn

# What these ask for does not exist here; TF Serving's command lines work all the same.
_IGNORED = {
    "num_load_threads": int,
    "num_unload_threads": int,
    "flush_filesystem_caches": bool,
    "per_process_gpu_memory_fraction": float,
    "remove_unused_fields_from_bundle_metagraph": bool,
    "num_tflite_pools": int,
    "num_tflite_interpreters_per_pool": int,
    "xla_cpu_compilation_enabled": bool,
    "xla_gpu_compilation_enabled": bool,
    "enable_profiler": bool,
    "skip_initialize_tpu": bool,
}
# What these ask for would change the answers.
_REFUSED = {
    "platform_config_file": str,
    "prefer_tflite_model": bool,
    "use_alts_credentials": bool,
    "mixed_precision": str,
    "thread_pool_factory_config_file": str,
    "tensorflow_session_config_file": str,
    "enable_per_model_batching_parameters": bool,
    "enable_serialization_as_tensor_content": bool,
}


def parse_flags(
    arguments: Sequence[str] | None = None, *, program: str = "python -m serving.server", needs_models: bool = True
) -> argparse.Namespace:
    """Parses TF Serving's flags; ends the program with one line if they are wrong.

    Args:
      arguments: the words after the program's name; `None` takes the process's own.
      program: its name.
      needs_models: whether the flags must say what to serve; otherwise they must not.
    """
    parser = _Parser(prog=program, allow_abbrev=False)
    _add_ports(parser)
    _add_models(parser)
    _add_behaviour(parser)
    for name, kind in {**_IGNORED, **_REFUSED}.items():
        _add(parser, name, kind, None, argparse.SUPPRESS)
    flags = parser.parse_args(arguments)
    if not flags.version:
        _check_models(parser, flags, needs_models)
        _check(parser, flags)
    return flags


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _add_ports(parser: argparse.ArgumentParser) -> None:
    _add(parser, "port", int, 8500, "gRPC port; 0 = any free")
    _add(parser, "host", str, "0.0.0.0", "address to listen on (not a flag of TF Serving's)")
    _add(parser, "grpc_socket_path", str, "", "UNIX socket to listen on too")
    _add(parser, "grpc_max_threads", int, 0, "gRPC calls at the same time; 0 = four per CPU, more with batching")
    _add(parser, "grpc_channel_arguments", str, "", "for gRPC itself: name=value,name=value")
    _add(parser, "ssl_config_file", str, "", "text-format SSLConfig: TLS on the gRPC port")
    _add(parser, "enable_grpc_healthcheck_service", bool, False, "have the standard gRPC health service")
    _add(parser, "rest_api_port", int, 0, "REST port; 0 = no REST")
    _add(parser, "rest_api_num_threads", int, 0, "REST calls answered at the same time; 0 = four per CPU")
    _add(parser, "rest_api_timeout_in_ms", int, 30_000, "how long a REST call may wait for its turn")
    _add(parser, "rest_api_enable_cors_support", bool, False, "send CORS headers")
    _add(parser, "monitoring_config_file", str, "", "text-format MonitoringConfig: metrics for Prometheus")


def _add_models(parser: argparse.ArgumentParser) -> None:
    _add(parser, "model_name", str, "default", "name of a single model")
    _add(parser, "model_base_path", str, "", "folder of its versions")
    _add(parser, "model_config_file", str, "", "text-format ModelServerConfig, instead of a single model")
    _add(parser, "model_config_file_poll_wait_seconds", int, 0, "between two looks at that file; 0 = once")
    _add(parser, "file_system_poll_wait_seconds", float, 1.0, "between two looks for versions; 0 = once")
    _add(parser, "max_num_load_retries", int, 5, "of a version that failed to load")
    _add(parser, "load_retry_interval_micros", int, 60_000_000, "between two tries")
    _add(
        parser,
        "allow_version_labels_for_unavailable_models",
        bool,
        False,
        "let an unused label stand for a version that is not available yet",
    )


def _add_behaviour(parser: argparse.ArgumentParser) -> None:
    _add(parser, "enable_model_warmup", bool, True, "run a model's warm-up requests before it is served")
    _add(parser, "num_request_iterations_for_warmup", int, 0, "how often each of them runs, if above 0")
    _add(parser, "saved_model_tags", str, "serve", "comma-separated tags of the graph to load")
    _add(parser, "enable_signature_method_name_check", bool, False, "Classify and Regress check the method name")
    _add(parser, "enable_batching", bool, False, "join concurrent calls")
    _add(parser, "batching_parameters_file", str, "", "text-format BatchingParameters")
    _add(parser, "tensorflow_session_parallelism", int, 0, "threads of TensorFlow; 0 = one per CPU")
    _add(parser, "tensorflow_intra_op_parallelism", int, 0, "threads of one operation; 0 = one per CPU")
    _add(parser, "tensorflow_inter_op_parallelism", int, 0, "operations at the same time; 0 = one per CPU")
    parser.add_argument("--version", action="store_true", help="say the version and end")


def _add(parser: argparse.ArgumentParser, name: str, kind: type, default: object, text: str) -> None:
    if kind is bool:
        parser.add_argument(f"--{name}", type=_boolean, nargs="?", const=True, default=default, help=text)
    else:
        parser.add_argument(f"--{name}", type=kind, default=default, help=text)


def _boolean(word: str) -> bool:
    if word not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"must be true or false. Received: {word!r}")
    return word == "true"


def _check_models(parser: argparse.ArgumentParser, flags: argparse.Namespace, needs_models: bool) -> None:
    has_models = bool(flags.model_base_path or flags.model_config_file)
    if needs_models and not has_models:
        parser.error("Both --model_base_path and --model_config_file are empty: one of them is required")
    if has_models and not needs_models:
        parser.error("--model_base_path and --model_config_file do not go with a folder of releases")


def _check(parser: argparse.ArgumentParser, flags: argparse.Namespace) -> None:
    for name in _REFUSED:
        if getattr(flags, name):
            parser.error(f"--{name} is not supported by this server")
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(flags, name) <= 65535:
            parser.error(f"--{name} must be in 0..65535. Received: {getattr(flags, name)}")
    if flags.rest_api_port and flags.rest_api_port == flags.port:
        parser.error(f"--rest_api_port must be another port than --port. Received: {flags.port} for both")
    for name in ("file_system_poll_wait_seconds", "model_config_file_poll_wait_seconds", "max_num_load_retries"):
        if getattr(flags, name) < 0:
            parser.error(f"--{name} must not be negative. Received: {getattr(flags, name)}")
    if flags.batching_parameters_file and not flags.enable_batching:
        parser.error("--batching_parameters_file is set without setting --enable_batching to true.")
    if flags.tensorflow_session_parallelism and (
        flags.tensorflow_intra_op_parallelism or flags.tensorflow_inter_op_parallelism
    ):
        parser.error("--tensorflow_session_parallelism goes without --tensorflow_intra_op_ and _inter_op_parallelism")
    for pair in filter(None, flags.grpc_channel_arguments.split(",")):
        if "=" not in pair:
            parser.error(f"--grpc_channel_arguments must be name=value,name=value. Received: {pair!r}")
