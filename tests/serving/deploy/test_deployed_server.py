"""What the files in deploy/ promise, asked of the embedded server that runs with them."""

import concurrent.futures
import re
import subprocess
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml
from conformance_requests import predict, spec
from patience import PATIENCE_S, wait_until

from serving.client import ClientConfig, RecommenderClient
from serving.release.manifest import Stage
from serving.release.pin_release import pin_release
from serving.release.push import push
from serving.release.store import ReleaseStore

STAGES = (Stage("retrieval", 6), Stage("ranking", 4))
COMPOSE = Path(__file__).resolve().parents[3] / "deploy" / "compose" / "compose.yaml"

# Retrieval passes on i9 to i4; ranking scores item n with 100 - (n - tab)^2 and keeps the order among equals.
BEST = {
    4: ["i4", "i5", "i6", "i7"],
    5: ["i5", "i6", "i4", "i7"],
    8: ["i8", "i9", "i7", "i6"],
    9: ["i9", "i8", "i7", "i6"],
}


@pytest.fixture(scope="module")
def client(deployed):
    with RecommenderClient(deployed.server.target, ClientConfig(STAGES, deadline_s=PATIENCE_S)) as opened:
        yield opened


def history(size: int) -> dict[str, list]:
    return {"item_id": [f"i{n}" for n in range(size)], "grade": [1] * size}


@pytest.mark.parametrize("one_call", [False, True])
def test_unequal_requests_in_one_batch(deployed, one_call):
    config = ClientConfig(STAGES, one_call=one_call, deadline_s=PATIENCE_S)
    with RecommenderClient(deployed.server.target, config) as client, concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = [(tab, k, size) for tab in BEST for k in (1, 2, 4) for size in (0, 1, 3, 9)]

        def ask(request):
            tab, k, size = request
            return client.recommend("u1", context={"tab": tab}, history=history(size), k=k).item_ids

        def are_joined():
            assert list(pool.map(ask, asked)) == [BEST[tab][:k] for tab, k, _ in asked]
            name = "batching_session:processed_batch_size"
            batches, rows = (metric(deployed, f"{name}_{part}") for part in ("count", "sum"))
            return 0 < batches < rows

        wait_until(are_joined)


def metric(deployed, name: str) -> float:
    page = deployed.server.rest("GET", deployed.annotations["prometheus.io/path"]).body.decode()
    return float(re.search(rf"^:tensorflow:serving:{name}{{}} (.*)$", page, re.MULTILINE)[1])


def test_a_call_with_too_many_rows_is_refused(deployed):
    examples = np.array([b""] * 129, object)
    with pytest.raises(grpc.RpcError, match="129") as refused:
        predict(deployed.server, spec("ranking", signature="score_examples"), {"examples": examples})
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def health(deployed) -> bytes:
    check = deployed.server.channel.unary_unary("/grpc.health.v1.Health/Check")
    return check(b"", timeout=PATIENCE_S)


def readiness(deployed) -> int:
    return deployed.server.rest("GET", deployed.container["readinessProbe"]["httpGet"]["path"]).status


def compose_health(port: int) -> int:
    words = yaml.safe_load(COMPOSE.read_text())["services"]["tensorflow-serving"]["healthcheck"]["test"]
    assert words[0] == "CMD"
    command = [word.replace("$$", "$").replace("/8501", f"/{port}") for word in words[1:]]
    return subprocess.run(command, capture_output=True, timeout=PATIENCE_S).returncode


def test_probes_of_a_server_that_answers(deployed):
    assert health(deployed) == b"\x08\x01"  # status: SERVING
    assert readiness(deployed) == 200
    wait_until(lambda: compose_health(deployed.server.rest_port) == 0)  # it allows five seconds and is tried again


def test_probes_of_a_server_that_lost_its_models(deployed):
    served = deployed.base / "retrieval"
    served.rename(deployed.base / "gone")
    served.mkdir()
    try:
        wait_until(lambda: readiness(deployed) == 404)
        assert deployed.server.get("retrieval").status == 200  # why readiness does not ask for the status
        assert health(deployed) == b"\x08\x01"
        assert compose_health(deployed.server.rest_port) != 0
    finally:
        served.rmdir()
        (deployed.base / "gone").rename(served)
    wait_until(lambda: readiness(deployed) == 200)


def test_the_health_check_fails_without_a_server(deployed):
    assert compose_health(1) != 0


def test_calls_go_on_while_connections_age(deployed):
    """Every second here and every minute in deploy/, the server has its clients connect again, to any pod."""
    states = []
    examples = {"examples": np.array([b""], object)}
    channel = deployed.server.channel
    channel.subscribe(states.append, try_to_connect=True)

    def has_connected_again():
        predict(deployed.server, spec("ranking", signature="score_examples"), examples)
        return states.count(grpc.ChannelConnectivity.READY) >= 3

    wait_until(has_connected_again)
    channel.unsubscribe(states.append)


def score(deployed, label: str) -> float:
    """What ranking gives item i5 with tab=5: a hundred times the number of the release."""
    feature = {
        "tab": tf.train.Feature(int64_list=tf.train.Int64List(value=[5])),
        "candidate_item_id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"i5"])),
    }
    example = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    examples = {"examples": np.array([example], object)}
    response = predict(deployed.server, spec("ranking", signature="score_examples", label=label), examples)
    return response.outputs["score"].float_val[0]


def test_the_canary_overlay_reaches_a_running_server(deployed, client, config_maps, cascade_models):
    store = ReleaseStore(deployed.base)
    (stable,) = store.versions()
    canary = push(cascade_models(2), deployed.base, stages=STAGES).version
    pin_release(deployed.base, stable, canary=canary)
    files = config_maps("overlays/canary")
    for number, version in {"1795475801": stable, "1795562201": canary}.items():
        assert number in files["models.config"]
        files["models.config"] = files["models.config"].replace(number, str(version))
    with pytest.raises(grpc.RpcError, match="Unrecognized servable version label: stable"):
        score(deployed, "stable")
    deployed.mount(files)

    def labels_answer() -> bool:
        try:
            return (score(deployed, "stable"), score(deployed, "canary")) == (100.0, 200.0)
        except grpc.RpcError:
            return False

    wait_until(labels_answer)
    # Who names no label gets the highest version.
    wait_until(lambda: client.recommend("u1", context={"tab": 5}, k=1).release == canary)
