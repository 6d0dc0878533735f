import concurrent.futures
import contextlib
import gzip
import http.client
import io
import json
import select
import socket
import zlib
from email.message import Message

import grpc
import numpy as np
import pytest
from gate import SIGNATURE, Gate
from patience import PATIENCE_S, wait_until

from serving.server.models.model_config import model_config
from serving.server.options import RestOptions, ServeError
from serving.server.program.server import ModelServer
from serving.server.rest.http_body import BodyError, read_body

PREDICT = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory, half_plus, assorted):
    base = tmp_path_factory.mktemp("rest")
    (base / "half").mkdir()
    (base / "assorted").mkdir()
    (base / "half" / "1").symlink_to(half_plus(2.0))
    (base / "assorted" / "1").symlink_to(assorted)
    models = [model_config("half", base / "half"), model_config("assorted", base / "assorted")]
    with ModelServer(models, rest_options=RestOptions(num_threads=1, timeout_s=0.2)) as running:
        yield running


def send(server, *parts):
    """Sends bytes and returns all that comes back until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.rest_port), timeout=PATIENCE_S) as connection:
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def request(body, path=b"half"):
    head = b"POST /v1/models/" + path + b":predict HTTP/1.1\r\nHost: x\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    "broken",
    [
        PREDICT + b"Content-Length: many\r\n\r\n",
        PREDICT + b"Content-Length: -1\r\n\r\n",
        PREDICT + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        PREDICT + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        PREDICT + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}more\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"BREW /v1/models/half HTTP/1.1\r\n\r\n",
        b"GET /v1/models/half HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    ],
)
def test_what_is_no_request_closes_its_connection_only(server, broken):
    answer = send(server, broken)
    assert answer == b"" or b" 200 " not in answer.partition(b"\r\n")[0]
    assert b'{"predictions": [2.5]}' in send(server, request(b'{"instances": [1.0]}'))


def test_requests_in_one_go_are_answered_in_order(server):
    answer = send(server, request(b'{"instances": [1.0]}') + request(b"{") + request(b'{"instances": [2.0]}'))
    assert answer.index(b"[2.5]") < answer.index(b"JSON Parse error") < answer.index(b"[3.0]")


def test_a_document_nested_too_deeply_for_a_tensor(server):
    for depth in (300, 990):
        body = b'{"instances": ' + b"[" * depth + b"1" + b"]" * depth + b"}"
        answer = send(server, request(body))
        assert answer.startswith(b"HTTP/1.1 400 "), depth


def test_a_head_request_has_no_body(server):
    answer = send(server, b"HEAD /v1/models/half HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"\r\n\r\n")


def held(gate):
    """Request that `gate` holds."""
    inputs = {name: [text.decode() for text in array] for name, array in gate.inputs.items()}
    return request(json.dumps({"signature_name": SIGNATURE, "inputs": inputs}).encode(), b"assorted")


def test_a_call_that_does_not_get_its_turn(server, tmp_path):
    with concurrent.futures.ThreadPoolExecutor() as pool, Gate(tmp_path / "gate") as gate:
        answer = pool.submit(send, server, held(gate))
        gate.wait_for_the_call()
        refusal = send(server, request(b'{"instances": [1.0]}'))
        assert refusal.startswith(b"HTTP/1.1 504 ")
        assert b"the call did not get its turn in time" in refusal
        gate.let_go()
        assert answer.result().startswith(b"HTTP/1.1 200 OK")
    assert b"[2.5]" in send(server, request(b'{"instances": [1.0]}'))


def test_requests_in_flight_finish_when_the_server_stops(tmp_path, assorted):
    (tmp_path / "assorted").mkdir()
    (tmp_path / "assorted" / "1").symlink_to(assorted)
    server = ModelServer([model_config("assorted", tmp_path / "assorted")], rest_options=RestOptions())
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=PATIENCE_S)

    def is_stopping():
        connection.request("GET", "/v1/models/assorted")
        response = connection.getresponse()
        response.read()
        return response.headers["Connection"] == "close"

    with (
        socket.create_connection(("127.0.0.1", server.rest_port)),  # without a request: nobody waits for it
        contextlib.closing(connection),
        concurrent.futures.ThreadPoolExecutor() as pool,
        Gate(tmp_path / "gate") as gate,
    ):
        answer = pool.submit(send, server, held(gate))
        gate.wait_for_the_call()
        assert not is_stopping()
        stop = pool.submit(server.stop, grace_s=PATIENCE_S)
        wait_until(is_stopping)
        done, _ = concurrent.futures.wait([stop], 1)  # can only miss a fault on a slow machine, never report one
        assert not done
        gate.let_go()
        stop.result()
        assert answer.result().startswith(b"HTTP/1.1 200 OK")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.rest_port))


def test_a_server_stops_when_its_last_answer_is_on_the_wire(tmp_path, assorted):
    (tmp_path / "assorted").mkdir()
    (tmp_path / "assorted" / "1").symlink_to(assorted)
    server = ModelServer([model_config("assorted", tmp_path / "assorted")], rest_options=RestOptions())
    server.start()
    size = 20_000_000  # what the kernel keeps for a client that does not read is less
    with (
        socket.create_connection(("127.0.0.1", server.rest_port), timeout=PATIENCE_S) as connection,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        connection.sendall(request(json.dumps({"instances": ["x" * size]}).encode(), b"assorted"))
        select.select([connection], [], [])  # the answer has begun
        stop = pool.submit(server.stop, grace_s=PATIENCE_S)
        done, _ = concurrent.futures.wait([stop], 1)  # can only miss a fault on a slow machine, never report one
        assert not done
        connection.shutdown(socket.SHUT_WR)
        assert len(b"".join(iter(lambda: connection.recv(1 << 20), b""))) > 2 * size
        stop.result()


def test_a_request_that_stalls_does_not_keep_grpc_open(tmp_path, half_plus, stubs_of):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "1").symlink_to(half_plus(2.0))
    server = ModelServer([model_config("half", tmp_path / "half")], rest_options=RestOptions())
    server.start()
    stubs = stubs_of(server.target)

    def grpc_is_refused():
        try:
            stubs.half(2.0)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.UNAVAILABLE
        return False

    body = b'{"instances": [1.0]}'
    with (
        socket.create_connection(("127.0.0.1", server.rest_port), timeout=PATIENCE_S) as connection,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        connection.sendall(PREDICT + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert connection.recv(1 << 10).startswith(b"HTTP/1.1 100 ")
        assert not grpc_is_refused()
        stop = pool.submit(server.stop, grace_s=PATIENCE_S)
        wait_until(grpc_is_refused)
        connection.sendall(body)
        assert connection.recv(1 << 10).startswith(b"HTTP/1.1 200 ")
        stop.result()


def test_a_port_in_use(server, tmp_path):
    second = ModelServer([], rest_options=RestOptions(port=server.rest_port))
    with pytest.raises(ServeError, match=rf"Cannot listen on 127\.0\.0\.1:{server.rest_port}: the port is in use"):
        second.start()


def body_of(data, **headers):
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return read_body(io.BytesIO(data), message)


def test_bodies():
    assert body_of(b"abc", Content_Length="2") == b"ab"
    assert body_of(b"abc") == b""
    assert body_of(b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: t\r\n\r\n", Transfer_Encoding="chunked") == b"abc"
    packed = gzip.compress(b"abc" * 1000)
    assert body_of(packed, Content_Length=str(len(packed)), Content_Encoding="gzip") == b"abc" * 1000
    for broken in (packed[:-9], b"abc", zlib.compress(b"abc")):
        assert body_of(broken, Content_Length=str(len(broken)), Content_Encoding="gzip") == b""


def test_a_body_that_becomes_too_large(monkeypatch):
    monkeypatch.setattr("serving.server.rest.http_body.MAX_INFLATED", 1000)
    packed = gzip.compress(np.zeros(10_000, np.uint8).tobytes())
    with pytest.raises(BodyError, match="A compressed body of more than 1000 bytes"):
        body_of(packed, Content_Length=str(len(packed)), Content_Encoding="gzip")
