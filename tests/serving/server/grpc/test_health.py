import threading

import grpc
import pytest
from patience import PATIENCE_S

from serving.server.messages import HealthCheckRequest, HealthCheckResponse
from serving.server.models.model_config import model_config
from serving.server.options import GrpcOptions
from serving.server.program.server import ModelServer

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
WIRE = {
    "request_serializer": HealthCheckRequest.SerializeToString,
    "response_deserializer": HealthCheckResponse.FromString,
}


@pytest.fixture
def server(tmp_path, half_plus, add_version):
    add_version(half_plus(2.0), tmp_path / "half", 1)
    return ModelServer([model_config("half", tmp_path / "half")], grpc_options=GrpcOptions(has_health_service=True))


def test_check_and_watch_until_the_server_drains(server):
    with server, grpc.insecure_channel(server.target) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check", **WIRE)
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch", **WIRE)
        for service in ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"):
            assert check(HealthCheckRequest(service=service), timeout=PATIENCE_S).status == SERVING
        with pytest.raises(grpc.RpcError, match="unknown service") as caught:
            check(HealthCheckRequest(service="nope"), timeout=PATIENCE_S)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        unknown = watch(HealthCheckRequest(service="nope"), timeout=PATIENCE_S)
        assert next(unknown).status == SERVICE_UNKNOWN
        unknown.cancel()

        states = watch(HealthCheckRequest(), timeout=PATIENCE_S)
        assert next(states).status == SERVING
        stopping = threading.Thread(target=server.stop, args=(PATIENCE_S,))
        stopping.start()
        assert [answer.status for answer in states] == [NOT_SERVING]
        stopping.join()


def test_watchers_leave_threads_for_the_calls(tmp_path, half_plus, add_version, stubs_of):
    add_version(half_plus(2.0), tmp_path / "half", 1)
    options = GrpcOptions(max_threads=8, has_health_service=True)
    with ModelServer([model_config("half", tmp_path / "half")], grpc_options=options) as server:
        stubs = stubs_of(server.target)
        watch = stubs.channel.unary_stream("/grpc.health.v1.Health/Watch", **WIRE)
        watchers = [watch(HealthCheckRequest(), timeout=PATIENCE_S) for _ in range(2)]
        assert [next(watcher).status for watcher in watchers] == [SERVING, SERVING]
        with pytest.raises(grpc.RpcError, match="too many watchers") as caught:
            next(watch(HealthCheckRequest(), timeout=PATIENCE_S))
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert stubs.half(2.0) == (3.0, 1)
        for watcher in watchers:
            watcher.cancel()


def test_there_is_no_health_service_unless_asked_for(tmp_path, half_plus, add_version):
    add_version(half_plus(2.0), tmp_path / "half", 1)
    with (
        ModelServer([model_config("half", tmp_path / "half")]) as server,
        grpc.insecure_channel(server.target) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        channel.unary_unary("/grpc.health.v1.Health/Check", **WIRE)(HealthCheckRequest(), timeout=PATIENCE_S)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
