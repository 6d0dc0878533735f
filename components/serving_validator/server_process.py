"""A model server of its own process over a candidate release."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc

from serving.release.serving_config import serving_config

VERSION = 1
_LOG_TAIL_LINES = 5
_REFUSAL = "did not become available"
_FULL = ("RESOURCE_EXHAUSTED", "MemoryError", "No space left", "Too many open files")
_ON_CPU = {"CUDA_VISIBLE_DEVICES": "-1"}  # the pipeline's process may hold all of a GPU's memory


class ModelsRefusedError(Exception):
    """The server ended since it cannot load the models."""


class ServerFailedError(Exception):
    """The server did not get ready for another reason: it was killed, the machine is full or slow, a port is taken."""


@contextlib.contextmanager
def serve_candidate(models_dir: Path, models: Sequence[str], work_dir: Path, timeout_s: float) -> Iterator[str]:
    """Serves the models of a candidate release as version 1 while the context lasts.

    Args:
      models_dir: holds one SavedModel folder per model.
      models: their names.
      work_dir: folder for `<model>/1`, the server's configuration and its log.
      timeout_s: limit for the server to get ready.

    Yields:
      The server's address, `"host:port"`.

    Raises:
      ModelsRefusedError: it says that it cannot load the models. The message has the end of its log.
      ServerFailedError: it ended for another reason or took too long. The message has the end of its log.
    """
    for model in models:
        (work_dir / model).mkdir(parents=True)
        (work_dir / model / str(VERSION)).symlink_to((models_dir / model).resolve())
    config = work_dir / "models.config"
    config.write_text(serving_config(models, work_dir))
    log = work_dir / "server.log"
    target = f"127.0.0.1:{_free_port()}"
    command = [sys.executable, "-m", "serving.server", "--host", "127.0.0.1", "--port", target.rpartition(":")[2]]
    command += ["--model_config_file", str(config), "--file_system_poll_wait_seconds", "0"]
    command += ["--max_num_load_retries", "0"]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | _ON_CPU)
    try:
        _wait_until_ready(server, target, log, timeout_s)
        yield target
    finally:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: subprocess.Popen, target: str, log: Path, timeout_s: float) -> None:
    with grpc.insecure_channel(target) as channel:
        ready = grpc.channel_ready_future(channel)
        waited_s = 0.0
        while waited_s < timeout_s:
            try:
                ready.result(timeout=0.5)
                return
            except grpc.FutureTimeoutError:
                waited_s += 0.5
            if server.poll() is not None:
                text = log.read_text(errors="replace")
                is_refusal = server.returncode == 1 and _REFUSAL in text and not any(word in text for word in _FULL)
                kind = ModelsRefusedError if is_refusal else ServerFailedError
                raise kind(f"the server ended with exit code {server.returncode}: {_tail(log)}")
    raise ServerFailedError(f"the server was not ready after {timeout_s:g} s: {_tail(log)}")


def _tail(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-_LOG_TAIL_LINES:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
