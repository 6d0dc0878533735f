"""One suite for the embedded server and for TF Serving: it knows them by their command line and their ports only.

`TF_MODEL_SERVER=/usr/bin/tensorflow_model_server pytest tests/serving/conformance` asks the real one too.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S

sys.path.insert(0, str(Path(__file__).parent))

from conformance_models import save_assorted, save_counter, save_half_plus, save_rows
from conformance_requests import config_of
from conformance_server import EMBEDDED, Server, running

COMMANDS = {"embedded": EMBEDDED}
if "TF_MODEL_SERVER" in os.environ:
    COMMANDS["stock"] = (os.environ["TF_MODEL_SERVER"],)


@pytest.fixture(scope="session", params=COMMANDS)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """How to start the server."""
    return COMMANDS[request.param]


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds a SavedModel once per session: `saved("half_plus", 2.0)`."""
    builders = {"half_plus": save_half_plus, "assorted": save_assorted, "counter": save_counter, "rows": save_rows}
    built: dict[tuple, Path] = {}

    def save(kind: str, *arguments: float) -> Path:
        key = (kind, *arguments)
        if key not in built:
            built[key] = builders[kind](tmp_path_factory.mktemp(kind) / "model", *arguments)
        return built[key]

    return save


@pytest.fixture(scope="session")
def put(saved: Callable[..., Path]) -> Callable[..., Path]:
    """Puts a SavedModel under a version folder by one rename: `put(base_path, "7", "half_plus", 2.0)`."""

    def place(base_path: Path, version: str | int, kind: str, *arguments: float) -> Path:
        staged = base_path.parent / f".{base_path.name}-{version}"
        shutil.copytree(saved(kind, *arguments), staged)
        base_path.mkdir(parents=True, exist_ok=True)
        return staged.rename(base_path / str(version))

    return place


@pytest.fixture(scope="session")
def server(
    command: tuple[str, ...], put: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Models that nobody changes: `half` (version 00000123, among folders that are none), `three` and `assorted`."""
    base = tmp_path_factory.mktemp("models")
    put(base / "half", "00000123", "half_plus", 2.0)
    for folder in ("tmp_5", "7.tmp", "v9", "checkpoint"):
        (base / "half" / folder).mkdir()
    put(base / "three", 1, "half_plus", 3.0)
    put(base / "assorted", 1, "assorted")
    put(base / "name with space", 4, "half_plus", 4.0)
    names = ["half", "three", "assorted", "name with space"]
    config = "".join(config_of(name, base / name) for name in names)
    (base / "models.config").write_text(f"model_config_list {{ {config} }}")
    (base / "monitoring.config").write_text('prometheus_config { enable: true path: "/metrics/here" }')
    flags = [
        f"--model_config_file={base}/models.config",
        f"--monitoring_config_file={base}/monitoring.config",
        "--enable_grpc_healthcheck_service=true",
        f"--rest_api_timeout_in_ms={1000 * PATIENCE_S:.0f}",
    ]
    with running(command, flags, base / "server.log") as started:
        yield started


@pytest.fixture(scope="session")
def changing(
    command: tuple[str, ...], put: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that starts without a model and takes those of each test."""
    folder = tmp_path_factory.mktemp("changing")
    (folder / "models.config").write_text("")
    flags = [
        f"--model_config_file={folder}/models.config",
        "--file_system_poll_wait_seconds=1",
        "--max_num_load_retries=0",
        f"--grpc_socket_path={folder}/socket",
        "--grpc_channel_arguments=grpc.max_receive_message_length=1000000,grpc.lb_policy_name=none",
    ]
    with running(command, flags, folder / "server.log") as started:
        yield started
