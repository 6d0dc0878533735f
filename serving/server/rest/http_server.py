"""The REST API and the metrics page on a port."""

import contextlib
import http.server
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc

from serving.server.errors import ServingError
from serving.server.metrics import Metrics
from serving.server.options import RestOptions, ServeError
from serving.server.rest.api import Answer, RestApi, error_answer
from serving.server.rest.http_body import BodyError, read_body

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_LOGGER = logging.getLogger(__name__)
_IDLE_S = 300.0  # a connection without a request for so long is closed


class RestServer:
    """Answers HTTP requests; `listen`, then `start`.

    Args:
      api: answers the paths under `/v1/`.
      metrics: shown where the options say.
      host: address to listen on.
      options: how.
    """

    def __init__(self, api: RestApi, metrics: Metrics, host: str, options: RestOptions):
        self._api = api
        self._metrics = metrics
        self._host = host
        self._options = options
        self._turns = threading.BoundedSemaphore(options.num_threads or 4 * (os.cpu_count() or 1))
        self._idle = threading.Condition()
        self._in_flight = 0
        self.is_draining = False
        self._server: _HttpServer | None = None
        self._thread: threading.Thread | None = None

    def listen(self) -> int:
        """Takes the port and returns it.

        Raises:
          ServeError: it cannot be had.
        """
        try:
            self._server = _HttpServer((self._host, self._options.port), self)
        except OSError:
            address = f"{self._host}:{self._options.port}"
            raise ServeError(f"Cannot listen on {address}: the port is in use or the address is not ours") from None
        return self._server.server_address[1]

    def start(self) -> None:
        """Starts to answer."""
        if self._server is not None:
            self._thread = threading.Thread(target=self._server.serve_forever, name="rest", daemon=True)
            self._thread.start()

    def stop(self, grace_s: float) -> None:
        """Refuses new connections, waits for the requests in flight, at most `grace_s` seconds."""
        if self._server is None:
            return
        self.is_draining = True
        if self._thread is not None:  # else `shutdown` would wait for an end that never comes
            self._server.shutdown()
        with self._idle:
            self._idle.wait_for(lambda: not self._in_flight, grace_s)
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answers one request in its turn."""
        if path == self._options.metrics_path:
            return Answer(200, self._metrics.page().encode(), "text/plain")
        if not path.lower().startswith("/v1/"):
            return Answer(404, b"<html><body><h1>Not Found</h1></body></html>", "text/html")
        if method == "OPTIONS" and self._options.enables_cors:
            return Answer(200, b"")
        if not self._turns.acquire(timeout=self._options.timeout_s):
            return error_answer(
                ServingError(grpc.StatusCode.DEADLINE_EXCEEDED, "the call did not get its turn in time")
            )
        try:
            return self._api.answer(method, path, body)
        finally:
            self._turns.release()

    @contextlib.contextmanager
    def in_flight(self) -> Iterator[None]:
        """A request, from its head to the last byte of its answer; `stop` waits for it."""
        with self._idle:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._idle:
                self._in_flight -= 1
                self._idle.notify_all()

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every answer."""
        return _CORS if self._options.enables_cors else {}


class _HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # idle connections would hold it
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: RestServer):
        self.owner = owner
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # The base class asks the name service for the host's name, which may take seconds.
        super(http.server.HTTPServer, self).server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # those are clients that closed their connection
            _LOGGER.exception("A REST connection failed")


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    wbufsize = -1  # an answer leaves in one piece
    disable_nagle_algorithm = True

    def answer_request(self) -> None:
        with self.server.owner.in_flight():
            try:
                body = read_body(self.rfile, self.headers)
            except BodyError as error:
                self.close_connection = True
                self._send(error_answer(ServingError(grpc.StatusCode.INVALID_ARGUMENT, str(error))))
                return
            self._send(self.server.owner.answer(self.command, self.path, body))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_TRACE = answer_request

    def handle_expect_100(self) -> bool:
        """Tells a client that waits for it, as curl does with large bodies, to send the body."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string(time.time()))
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in self.server.owner.headers.items():
            self.send_header(name, value)
        if self.close_connection or self.server.owner.is_draining:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass  # a line per request is no log
