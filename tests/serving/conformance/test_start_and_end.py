"""The command line: what a process starts with, what it refuses, TLS, and how it ends."""

import shutil

import grpc
import numpy as np
import pytest
from conformance_requests import config_of, fails, predict, predict_request, spec
from conformance_server import Server, running
from gate import SIGNATURE, Gate
from patience import PATIENCE_S, wait_until
from test_warmup_and_broken_versions import WARMUP


@pytest.fixture(scope="module")
def refused(command, put, tmp_path_factory):
    """Starts servers that must end by themselves, all at once; gives exit code and log by what is wrong."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "bad.config").write_text("model_config_list { nonsense: 1 }")
    (folder / "broken" / "1").mkdir(parents=True)
    put(folder / "half", 1, "half_plus", 1.0)
    labelled = config_of("half", folder / "half", 'version_labels { key: "stable" value: 1 }')
    (folder / "labels.config").write_text(f"model_config_list {{ {labelled} }}")
    (folder / "batching.config").write_text("max_batch_size { value: 4 }")
    model = f"--model_base_path={folder}/half"
    flags = {
        "malformed config": [f"--model_config_file={folder}/bad.config"],
        "no model": [],
        "broken model": [f"--model_base_path={folder}/broken", "--max_num_load_retries=0"],
        "labels": [f"--model_config_file={folder}/labels.config"],
        "parameters without batching": [model, f"--batching_parameters_file={folder}/batching.config"],
    }
    servers = {
        name: Server(command, words, folder / f"{index}.log", rest=name == "broken model")
        for index, (name, words) in enumerate(flags.items())
    }
    try:
        yield {name: (server.process.wait(PATIENCE_S), server.log_text()) for name, server in servers.items()}
    finally:
        for server in servers.values():
            server.end()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("malformed config", "ModelServerConfig"),
        ("no model", "model_base_path"),
        ("broken model", "did not become available"),
        (
            "labels",
            "Request to assign label to version 1 of model half, which is not currently available for inference",
        ),
        ("parameters without batching", "batching_parameters_file is set without setting"),
    ],
)
def test_a_process_that_cannot_serve_ends(refused, wrong, said):
    code, log = refused[wrong]
    assert code != 0
    assert said in log


@pytest.fixture(scope="module")
def single(command, saved, tmp_path_factory):
    """One model without a name, with a warm-up file that would not run, and CORS."""
    base = tmp_path_factory.mktemp("single")
    shutil.copytree(saved("assorted"), base / "model" / "1")
    (base / "model" / "1" / "assets.extra").mkdir()
    (base / "model" / "1" / WARMUP).write_bytes(b"no TFRecord at all, just some bytes")
    flags = [
        f"--model_base_path={base}/model",
        "--enable_model_warmup=false",
        "--rest_api_enable_cors_support",
        "--file_system_poll_wait_seconds=1",
    ]
    with running(command, flags, base / "server.log") as server:
        yield server


def test_the_default_name(single):
    response = predict(single, spec("default"), {"x": np.float32([[2, 4]])})
    assert list(response.outputs["y"].float_val) == [3.0, 4.0]


def test_no_metrics_unless_asked_for(single):
    assert single.rest("GET", "/monitoring/prometheus/metrics").status == 404


def test_no_health_service_unless_asked_for(single):
    check = single.channel.unary_unary("/grpc.health.v1.Health/Check")
    assert fails(lambda: check(b"", timeout=PATIENCE_S))[0] == "UNIMPLEMENTED"


def test_cors(single):
    headers = {"Origin": "http://example.com"}
    answer = single.rest("POST", "/v1/models/default:predict", {"instances": [[2, 4]]}, headers)
    assert (answer.status, answer.json) == (200, {"predictions": [[3.0, 4.0]]})
    preflight = single.rest("OPTIONS", "/v1/models/default:predict", None, headers)
    assert preflight.status == 200
    for response in (answer, preflight):
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Allow-Methods"] == "POST, GET"
        assert response.headers["Access-Control-Allow-Headers"] == "Content-Type"


def test_sigterm_ends_the_process(single, tmp_path):
    with Gate(tmp_path / "gate") as gate:
        held = predict_request(spec("default", signature=SIGNATURE), gate.inputs)
        call = single.prediction.Predict.future(held, timeout=PATIENCE_S)
        gate.wait_for_the_call()
        single.process.terminate()
    single.process.wait(PATIENCE_S)
    assert call.code() is not None  # answered, or cut off by a server that could not wait so long


@pytest.fixture(scope="module")
def secure(command, put, certificates, tmp_path_factory):
    """A server behind TLS that asks for client certificates, with a label from the start and a polled config file."""
    base = tmp_path_factory.mktemp("secure")
    put(base / "half", 1, "half_plus", 1.0)
    text = config_of("half", base / "half", 'version_labels { key: "stable" value: 1 }')
    (base / "models.config").write_text(f"model_config_list {{ {text} }}")
    fields = {"server_key": "server.key", "server_cert": "server.crt", "custom_ca": "ca.crt"}
    lines = [f"{field}: {certificates[name].read_text()!r}" for field, name in fields.items()]
    (base / "ssl.config").write_text("\n".join([*lines, "client_verify: true"]))
    flags = [
        f"--model_config_file={base}/models.config",
        "--model_config_file_poll_wait_seconds=1",
        "--allow_version_labels_for_unavailable_models=true",
        f"--ssl_config_file={base}/ssl.config",
    ]
    server = Server(command, flags, base / "server.log", rest=False)
    try:
        with channel_with(server, certificates, "client") as channel:
            server.wait_until_it_answers(channel)
        yield server
    finally:
        server.end()


def channel_with(server, certificates, client):
    pair = [certificates[f"{client}.{kind}"].read_bytes() for kind in ("key", "crt")] if client else [None, None]
    credentials = grpc.ssl_channel_credentials(certificates["ca.crt"].read_bytes(), *pair)
    return grpc.secure_channel(f"localhost:{server.port}", credentials)


def ask(channel, **choice):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    return call(predict_request(spec("half", **choice), {"x": np.float32([0])}).SerializeToString(), timeout=PATIENCE_S)


def test_tls_with_the_right_certificate(secure, certificates):
    with channel_with(secure, certificates, "client") as channel:
        assert b"half" in ask(channel)


@pytest.mark.parametrize("client", ["stranger", None])
def test_tls_without_the_right_certificate(secure, certificates, client):
    with channel_with(secure, certificates, client) as channel:
        assert fails(lambda: ask(channel))[0] == "UNAVAILABLE"


def test_plain_text_at_a_tls_port(secure):
    assert fails(lambda: ask(secure.channel))[0] == "UNAVAILABLE"


def test_labels_of_the_first_configuration(secure, certificates):
    with channel_with(secure, certificates, "client") as channel:
        assert b"half" in ask(channel, label="stable")
        assert fails(lambda: ask(channel, label="canary"))[0] == "INVALID_ARGUMENT"


def test_a_polled_config_file_is_followed(secure, put, certificates):
    put(secure.folder / "more", 7, "half_plus", 7.0)
    text = config_of("half", secure.folder / "more")
    (secure.folder / "models.config").write_text("model_config_list { nonsense: 1 }")
    wait_until(lambda: "nonsense" in secure.log_text())
    with channel_with(secure, certificates, "client") as channel:
        assert b"half" in ask(channel, version=1)
        (secure.folder / "models.config").write_text(f"model_config_list {{ {text} }}")

        def is_followed():
            try:
                return b"half" in ask(channel, version=7)
            except grpc.RpcError:
                return False

        wait_until(is_followed)
