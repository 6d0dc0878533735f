"""Server processes: the embedded server or the one that TF_MODEL_SERVER names, both by their command line."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
from new_process import NewProcess
from patience import PATIENCE_S, wait_until
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

REPOSITORY = Path(__file__).resolve().parents[3]
EMBEDDED = (str(REPOSITORY / "serving" / "server" / "__main__.py"),)
_UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Answer:
    """A response over REST."""

    def __init__(self, response: http.client.HTTPResponse):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        assert set(self.json) == {"error"}, self.json
        return self.json["error"]


class Server:
    """A server process and clients for it."""

    def __init__(self, command: Sequence[str], flags: Sequence[str], log: Path, *, rest: bool = True):
        self.port, self.rest_port = free_port(), free_port()
        self.log = log
        self.folder = log.parent
        arguments = [f"--port={self.port}", *flags]
        if rest:
            arguments.append(f"--rest_api_port={self.rest_port}")
        self.process = _start(command, arguments, log)
        self.target = f"127.0.0.1:{self.port}"
        self.channel = grpc.insecure_channel(self.target, _UNLIMITED)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def wait_until_it_answers(self, channel: grpc.Channel | None = None) -> None:
        ready = grpc.channel_ready_future(channel or self.channel)

        def answers() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.poll()}: {self.log_text()}"
            return ready.done()

        wait_until(answers)

    def rest(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, data, headers or {})
            return Answer(connection.getresponse())

    def post(self, path: str, body: object) -> Answer:
        return self.rest("POST", f"/v1/models/{path}", body)

    def get(self, path: str) -> Answer:
        return self.rest("GET", f"/v1/models/{path}")

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> None:
        self.channel.close()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()


def _start(command: Sequence[str], arguments: Sequence[str], log: Path) -> NewProcess | subprocess.Popen:
    environment = {"TF_CPP_MIN_LOG_LEVEL": "1", "CUDA_VISIBLE_DEVICES": ""}
    if command == EMBEDDED:
        return NewProcess(Path(*command), arguments, log, environment)
    with log.open("wb") as output:
        return subprocess.Popen(
            [*command, *arguments], stdout=output, stderr=subprocess.STDOUT, env=os.environ | environment
        )


@contextlib.contextmanager
def running(command: Sequence[str], flags: Sequence[str], log: Path, **options: Any) -> Iterator[Server]:
    """A server that answers, until the end of the block."""
    server = Server(command, flags, log, **options)
    try:
        server.wait_until_it_answers()
        yield server
    finally:
        server.end()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
