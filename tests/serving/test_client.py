import shutil
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.client import RecommenderClient
from serving.client_errors import (
    InvalidRequestError,
    RecommendTimeoutError,
    ReleaseNotFoundError,
    ServerUnavailableError,
)
from serving.model_client import ModelClient
from serving.release.manifest import Stage
from serving.release.push import push
from serving.release.store import ReleaseStore
from serving.server.release_server import release_server

STAGES = [Stage("retrieval", 6), Stage("ranking", 4)]


@pytest.fixture
def base(tmp_path, cascade_models) -> Path:
    """Holds one release, whose ranking scores item n with 100 - (n - tab)^2."""
    push(cascade_models(1), tmp_path / "base", stages=STAGES)
    return tmp_path / "base"


@pytest.fixture
def server(base):
    with release_server(base, port=0, poll_interval_s=0.05) as running:
        yield running


@pytest.fixture
def client(server):
    with RecommenderClient(server.target, stages=STAGES, timeout_s=20) as opened:
        yield opened


def example(**features) -> bytes:
    lists = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if isinstance(values[0], bytes)
        else tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        for name, values in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString()


# Retrieval passes on i9 to i4; ranking with tab=5 prefers i5, then i6 and i4 (i6 came first), then i7.
BEST_FOR_TAB_5 = (["i5", "i6", "i4", "i7"], [100.0, 99.0, 99.0, 96.0])


def test_two_hops_from_features(client, base):
    answer = client.recommend({"user_id": "u1", "tab": 5, "history_item_id": ["i1"], "history_grade": [2]}, k=4)
    assert (answer.item_ids, answer.scores) == BEST_FOR_TAB_5
    assert answer.release == ReleaseStore(base).versions()[-1]


def test_two_hops_from_an_example(client):
    logged = example(tab=[5], candidate_item_id=[b"i0", b"i1"], candidate_stage=[1, 2], exclude_item_id=[b"i5"])
    answer = client.recommend(logged, k=2, exclude=["i6"])
    assert (answer.item_ids, answer.scores) == (["i4", "i7"], [99.0, 96.0])


def test_the_last_stage_passes_on_no_more_than_its_capacity(client):
    assert client.recommend({"tab": 5}, k=100).item_ids == BEST_FOR_TAB_5[0]


def test_nothing_left_to_recommend(client):
    assert client.recommend({}, k=3, exclude=[f"i{n}" for n in range(10)]).item_ids == []


def test_a_batch_answers_each_request(client):
    answers = client.recommend_batch([{"tab": 5}, {"tab": 8}, example(tab=[0])], k=2, exclude=[["i5"], [], []])
    assert [answer.item_ids for answer in answers] == [["i6", "i4"], ["i8", "i9"], ["i4", "i5"]]
    assert client.recommend_batch([]) == []


def test_one_call_answers_the_same(client):
    for request in ({"tab": 5}, {"tab": 7}, example(tab=[9])):
        two_hops, one_call = client.recommend(request, k=3), client.recommend_one_call(request, k=3)
        assert two_hops == one_call
    assert client.recommend_one_call({"tab": 5}, k=1, exclude=["i5"]).item_ids == ["i6"]


@pytest.mark.parametrize(
    ("request_", "k", "message"),
    [
        (
            {"user": "u1", "tab": 1},
            5,
            r"The model takes no \['user'\]. It takes: \['history_grade', .*'user_id', 'weight'\]",
        ),
        ({"tab": "one"}, 5, "`tab` must be of type int64. Received: 'one'"),
        ({"weight": "heavy"}, 5, "`weight` must be of type float32. Received: 'heavy'"),
        ({"user_id": 5}, 5, "`user_id` must be of type string. Received: 5"),
        ({"tab": [1, 2]}, 5, r"`tab` must be one value. Received: \[1, 2\]"),
        ({"history_item_id": "i1"}, 5, "`history_item_id` must be a sequence. Received: 'i1'"),
        ({"tab": 1}, 0, "`k` must be at least 1. Received: k=0"),
        (b"no example", 5, r"The request is no serialized tf.train.Example \(10 bytes\)"),
        (example(tab=[b"one"]), 5, "Model 'retrieval' at .*tab.*INVALID_ARGUMENT"),
    ],
)
def test_requests_that_do_not_fit(client, request_, k, message):
    with pytest.raises(InvalidRequestError, match=message):
        client.recommend(request_, k=k)


def test_exclusions_for_another_number_of_requests(client):
    with pytest.raises(InvalidRequestError, match=r"one sequence for each of 1 requests\. Received: 2"):
        client.recommend_batch([{}], exclude=[[], []])


def test_a_stage_that_is_not_served(server):
    with (
        RecommenderClient(server.target, stages=[*STAGES, Stage("rerank", 2)]) as client,
        pytest.raises(ReleaseNotFoundError, match="Could not find any versions of model rerank"),
    ):
        client.recommend({})


def test_no_server_and_no_time(server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{unused.getsockname()[1]}"
        with (
            RecommenderClient(target, stages=STAGES) as client,
            pytest.raises(ServerUnavailableError, match=f"^No model server answers at {target}"),
        ):
            client.recommend({})
    with (
        RecommenderClient(server.target, stages=STAGES, timeout_s=1e-4) as client,
        pytest.raises(RecommendTimeoutError, match=r"Model 'retrieval' at .* did not answer in time"),
    ):
        client.recommend({})


def test_every_stage_answers_of_one_release_while_releases_come(base, server, client, cascade_models):
    answers, complete, done = [], [], threading.Event()

    def ask_all_the_time():
        while not done.is_set():
            newest = server.available_versions("retrieval")[0]
            complete.append(newest in server.available_versions("ranking"))
            answers.append(client.recommend({"tab": 5}, k=1))

    caller = threading.Thread(target=ask_all_the_time)
    caller.start()
    released = {ReleaseStore(base).versions()[-1]: 100.0}
    try:
        for release in (2, 3, 4):
            manifest = push(cascade_models(release), base, stages=STAGES)
            released[manifest.version] = 100.0 * release
            end_s = time.monotonic() + 30
            while not (answers and answers[-1].release == manifest.version):
                assert time.monotonic() < end_s
                assert caller.is_alive()
                time.sleep(0.01)
    finally:
        done.set()
        caller.join()
    assert {answer.release for answer in answers} == set(released)
    assert all(complete)
    assert all(answer.scores == [released[answer.release]] for answer in answers)


def test_a_release_that_a_later_stage_lacks_is_answered_by_the_one_before(base, server, client, cascade_models):
    first = ReleaseStore(base).versions()[-1]
    second = push(cascade_models(2), base, stages=STAGES).version
    end_s = time.monotonic() + 30
    while server.available_versions("retrieval") != [second, first]:
        assert time.monotonic() < end_s
        time.sleep(0.02)
    shutil.rmtree(base / "ranking" / str(second))
    while server.available_versions("ranking") != [first]:
        assert time.monotonic() < end_s
        time.sleep(0.02)
    answer = client.recommend({"tab": 5}, k=1)
    assert (answer.release, answer.scores) == (first, [100.0])


def test_no_release_is_complete(base, server, client, cascade_models):
    first = ReleaseStore(base).versions()[-1]
    (base / "ranking" / str(first)).rename(base / "ranking" / "5")  # a version without a manifest is not served
    end_s = time.monotonic() + 30
    while server.available_versions("ranking"):
        assert time.monotonic() < end_s
        time.sleep(0.02)
    with pytest.raises(ReleaseNotFoundError, match=r"No release at .* has all of \['retrieval', 'ranking'\]"):
        client.recommend({})


def test_raw_tensors_answer_as_examples_do(server):
    models = ModelClient(server.target)
    inputs = {
        "user_id": np.array([b"u1"], object),
        "tab": np.int64([5]),
        "request_time_ms": np.int64([0]),
        "weight": np.float32([0]),
        "history_item_id": np.array([[b""]], object),
        "history_grade": np.int64([[0]]),
        "exclude_item_id": np.empty((1, 0), object),
        "k": np.int32([2]),
    }
    answer = models.predict("retrieval", "retrieve", inputs, deadline_s=time.monotonic() + 20)
    assert answer.outputs["item_id"].tolist() == [[b"i9", b"i8"]]
    assert answer.outputs["score"].tolist() == [[9.0, 8.0]]
    models.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"stages": []}, "`stages` must hold at least one stage"), ({"stages": STAGES, "timeout_s": 0}, "timeout_s=0")],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RecommenderClient("127.0.0.1:1", **arguments)
