"""`python -m serving.server`: the model server with TF Serving's flags."""

import argparse
import logging
import sys
from collections.abc import Sequence

from serving.server.model_config import ModelConfigError, model_config, read_model_config_file
from serving.server.server import ModelServer, ServeError


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serving.server", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=8500, help="gRPC port; 0 = any free")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")
    parser.add_argument("--model_name", default="default", help="name of a single model")
    parser.add_argument("--model_base_path", help="folder of its versions")
    parser.add_argument("--model_config_file", help="text-format ModelServerConfig, instead of a single model")
    parser.add_argument(
        "--file_system_poll_wait_seconds", type=float, default=1.0, help="between two looks at the disk; 0 = once"
    )
    parser.add_argument("--max_num_load_retries", type=int, default=5, help="of a version that failed to load")
    parser.add_argument("--load_retry_interval_micros", type=int, default=60_000_000, help="between two tries")
    parser.add_argument("--grpc_max_threads", type=int, default=0, help="0 = four per CPU")
    flags = parser.parse_args(arguments)
    if bool(flags.model_base_path) == bool(flags.model_config_file):
        parser.error("one of --model_base_path and --model_config_file is required")
    if not 0 <= flags.port <= 65535:
        parser.error(f"--port must be in 0..65535. Received: {flags.port}")
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM; returns the exit code."""
    flags = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        models = (
            read_model_config_file(flags.model_config_file)
            if flags.model_config_file
            else [model_config(flags.model_name, flags.model_base_path)]
        )
        server = ModelServer(
            models,
            port=flags.port,
            host=flags.host,
            poll_interval_s=flags.file_system_poll_wait_seconds,
            max_num_load_retries=flags.max_num_load_retries,
            load_retry_interval_s=flags.load_retry_interval_micros / 1e6,
            grpc_max_threads=flags.grpc_max_threads,
        )
        server.run(lambda: logging.info("Running gRPC ModelServer at %s ...", server.target))
    except (ModelConfigError, ServeError) as error:
        print(f"Failed to start server. Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
