import dataclasses
import shutil
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE_S, wait_until

from serving.client import ClientConfig, RecommenderClient, Request
from serving.client.call import predict
from serving.client.errors import (
    InvalidRequestError,
    RecommendTimeoutError,
    ReleaseNotFoundError,
    ServerUnavailableError,
)
from serving.client.model_client import ModelClient
from serving.release.manifest import Stage
from serving.release.pin_release import pin_release
from serving.release.push import push
from serving.release.store import ReleaseStore
from serving.server.program.release_server import label_watcher, release_server

STAGES = (Stage("retrieval", 6), Stage("ranking", 4))
CONFIG = ClientConfig(STAGES, deadline_s=PATIENCE_S)
EVENT = {"item_id": ["i1"], "grade": [2]}

# Retrieval passes on i9 to i4; ranking with tab=5 prefers i5, then i6 and i4 (i6 came first), then i7.
BEST_FOR_TAB_5 = (["i5", "i6", "i4", "i7"], [100.0, 99.0, 99.0, 96.0])


@pytest.fixture(scope="module")
def client(target, open_client):
    return open_client(target, CONFIG)


@pytest.fixture
def base(tmp_path, cascade_models) -> Path:
    push(cascade_models(1), tmp_path / "base", stages=STAGES)
    return tmp_path / "base"


@pytest.fixture
def server(base):
    with release_server(base, port=0, poll_interval_s=0.05) as running:
        yield running


@pytest.fixture
def follower(server):
    """Of a server that the test changes."""
    with RecommenderClient(server.target, CONFIG) as opened:
        yield opened


def test_two_hops(client, served_base):
    answer = client.recommend("u1", context={"tab": 5, "weight": 0.5}, history=EVENT, k=4)
    assert (answer.item_ids, answer.scores) == BEST_FOR_TAB_5
    assert answer.release == ReleaseStore(served_base).versions()[-1]
    assert not answer.fallback


def test_the_last_stage_passes_on_no_more_than_its_capacity(client):
    assert client.recommend(context={"tab": 5}, k=100).item_ids == BEST_FOR_TAB_5[0]


def test_a_batch_answers_each_request(client):
    requests = [
        Request(context={"tab": 5}, k=2, exclude=["i5"], request_id="r1"),
        Request("u2", {"tab": 8}, k=1, request_id="r2"),
        Request(context={"tab": 0}, k=2, exclude=[f"i{n}" for n in range(10)]),
    ]
    answers = client.recommend_batch(requests)
    assert [answer.item_ids for answer in answers] == [["i6", "i4"], ["i8"], []]
    assert [answer.request_id for answer in answers] == ["r1", "r2", requests[2].request_id]
    assert client.recommend_batch([]) == []


def test_one_call_answers_the_same(client, target, open_client):
    one_call = open_client(target, ClientConfig(STAGES, deadline_s=PATIENCE_S, one_call=True))
    for tab in (5, 7, 9):
        first, second = (each.recommend(context={"tab": tab}, k=3, exclude=["i5"]) for each in (client, one_call))
        assert (first.item_ids, first.scores, first.release) == (second.item_ids, second.scores, second.release)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"context": {"user": "u1", "tab": 1}},
            r"`context`: the model takes no \['user'\]. It takes: \['request_time_ms', 'tab', 'weight'\]",
        ),
        ({"context": {"user_id": "u1"}}, r"`context`: the model takes no \['user_id'\]"),
        ({"context": {"history_grade": [1]}}, r"`context`: the model takes no \['history_grade'\]"),
        ({"context": [5]}, r"`context` must be a mapping of values by name. Received: \[5\]"),
        ({"context": {"tab": "one"}}, "`tab` must be of type int64. Received: 'one'"),
        ({"context": {"tab": 2**63}}, "`tab` must be of type int64. Received: 9223372036854775808"),
        ({"context": {"weight": "heavy"}}, "`weight` must be of type float32. Received: 'heavy'"),
        ({"context": {"weight": float("nan")}}, "`weight` must be a number. Received: NaN"),
        ({"context": {"tab": 1.5}}, "`tab` must be of type int64. Received: 1.5"),
        ({"context": {"weight": None}}, "`weight` must be of type float32. Received: None"),
        ({"context": {"tab": [1, 2]}}, r"`tab` must be one value. Received: \[1, 2\]"),
        ({"context": {"tab": np.array([1])}}, r"`tab` must be one value. Received: array\(\[1\]\)"),
        ({"context": {5: 1, "age": 2}}, r"`context`: the model takes no \[5, 'age'\]"),
        ({"context": np.array([1, 2])}, r"`context` must be a mapping of values by name. Received: array\(\[1, 2\]\)"),
        ({"context": []}, r"`context` must be a mapping of values by name. Received: \[\]"),
        ({"filters": ["a"]}, r"`filters` must be a mapping of values by name. Received: \['a'\]"),
        ({"filters": {"tag": "news"}}, r"`filters\['tag'\]` must be a sequence. Received: 'news'"),
        ({"filters": {"tag": np.array(["a", "b"])}}, r"`filters`: the model takes no \['tag'\]. It takes: \[\]"),
        ({"filters": {"tag": np.array([])}}, r"`filters\['tag'\]` must hold at least one value, none of them empty."),
        ({"filters": {"tag": ["a", ""]}}, r"`filters\['tag'\]` must hold at least one value, none of them empty."),
        ({"user": 5}, "`user` must be a string. Received: 5"),
        ({"history": "i1"}, "`history` must be a sequence. Received: 'i1'"),
        ({"history": ["i1"]}, r"`history` must have the columns \['grade', 'item_id'\]. Missing: \['grade'\]"),
        ({"history": {"grade": [1]}}, r"`history` must have the columns .* Missing: \['item_id'\]"),
        (
            {"history": EVENT | {"age": [1]}},
            r"`history`: the model takes no \['age'\]. It takes: \['grade', 'item_id'\]",
        ),
        ({"history": EVENT | {"grade": []}}, "`history`: `grade` must have one value for each of 1 items. Received: 0"),
        ({"history": EVENT | {"item_id": [7]}}, "`history_item_id` must be text. Received: 7"),
        ({"history": EVENT | {"grade": [None]}}, "`history_grade` must be of type int64. Received: None"),
        ({"history": iter(["i1"])}, "`history` must be a sequence. Received: <list_iterator"),
        ({"history": EVENT | {"item_id": None}}, r"`history\['item_id'\]` must be a sequence. Received: None"),
        ({"history": {"item_id": "i37", "grade": [1, 2, 3]}}, r"`history\['item_id'\]` must be a sequence. .*'i37'"),
        ({"history": EVENT | {"grade": b"\2"}}, r"`history\['grade'\]` must be a sequence. Received: b"),
        ({"history": EVENT | {"grade": bytearray(1)}}, r"`history\['grade'\]` must be a sequence. Received: bytearray"),
        ({"history": EVENT | {"grade": 2}}, r"`history\['grade'\]` must be a sequence. Received: 2"),
        ({"history": EVENT | {"grade": {2: 1}}}, r"`history\['grade'\]` must be a sequence. Received: \{2: 1\}"),
        ({"history": EVENT | {"grade": np.array(2)}}, r"`history\['grade'\]` must be a sequence. Received: array\(2\)"),
        ({"history": EVENT | {"grade": [[2]]}}, r"`history_grade` must be of type int64. Received: \[2\]"),
        ({"history": np.array([["i1"]])}, "`history` must be a sequence. Received: array"),
        ({"exclude": "i5"}, "`exclude` must be a sequence. Received: 'i5'"),
        ({"exclude": [5]}, "`exclude` must be text. Received: 5"),
        ({"exclude": [["i1"]]}, r"`exclude` must be text. Received: \['i1'\]"),
        ({"exclude": {"i1": True}}, r"`exclude` must be a sequence. Received: \{'i1': True\}"),
        ({"exclude": np.array([1, 2])}, "`exclude` must be text. Received: 1"),
        ({"exclude": None}, "`exclude` must be a sequence. Received: None"),
        ({"k": -1}, "`k` must be a whole number, at least 0. Received: k=-1"),
        ({"k": 2.5}, "`k` must be a whole number, at least 0. Received: k=2.5"),
        ({"deadline_s": 0}, "`deadline_s` must be positive. Received: deadline_s=0"),
        ({"deadline_s": "soon"}, "`deadline_s` must be positive. Received: deadline_s='soon'"),
        ({"deadline_s": float("inf")}, "`deadline_s` must be positive. Received: deadline_s=inf"),
    ],
)
def test_requests_that_do_not_fit(client, arguments, message):
    with pytest.raises(InvalidRequestError, match=f"^{message}"):
        client.recommend(**arguments)


def test_a_stage_that_is_not_served(target, open_client):
    client = open_client(target, ClientConfig((*STAGES, Stage("rerank", 2)), deadline_s=PATIENCE_S))
    with pytest.raises(ReleaseNotFoundError, match="Could not find any versions of model rerank"):
        client.recommend()


def test_no_server(open_client):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{unused.getsockname()[1]}"
        client = open_client(nobody, CONFIG)
        with pytest.raises(ServerUnavailableError, match=f"^No model server answers at {nobody}"):
            client.recommend()


def test_no_answer_in_time(open_client):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        client = open_client(address, CONFIG)
        with pytest.raises(RecommendTimeoutError, match=f"^Model 'retrieval' at {address} did not answer in time"):
            client.recommend(deadline_s=0.2)


@pytest.mark.parametrize("one_call", [False, True])
def test_a_label_says_which_release_is_asked(base, server, cascade_models, one_call):
    stable = ReleaseStore(base).versions()[-1]
    canary = push(cascade_models(2), base, stages=STAGES).version
    pin_release(base, stable, canary=canary)

    def ask(label):
        with RecommenderClient(server.target, dataclasses.replace(CONFIG, label=label, one_call=one_call)) as client:
            answer = client.recommend(context={"tab": 5}, k=1)
            return answer.release, answer.scores

    def answers(label, release):
        try:
            return ask(label)[0] == release
        except (InvalidRequestError, ReleaseNotFoundError):  # no such label, or not loaded yet
            return False

    watcher = label_watcher(server, base, 0.05)
    watcher.start()
    try:
        for label, version in (("stable", stable), ("canary", canary)):
            wait_until(lambda label=label, version=version: answers(label, version))
        assert [ask(label) for label in ("stable", "canary", None)] == [
            (stable, [100.0]),
            (canary, [200.0]),
            (canary, [200.0]),
        ]
        pin_release(base, canary, canary=stable)
        for label, version in (("stable", canary), ("canary", stable)):
            wait_until(lambda label=label, version=version: answers(label, version))
        with pytest.raises(InvalidRequestError, match="Unrecognized servable version label: blue"):
            ask("blue")
    finally:
        watcher.stop()


def test_every_stage_answers_of_one_release_while_releases_come(base, server, follower, cascade_models):
    answers, complete, done = [], [], threading.Event()

    def ask_all_the_time():
        while not done.is_set():
            newest = server.available_versions("retrieval")[0]
            complete.append(newest in server.available_versions("ranking"))
            answers.append(follower.recommend(context={"tab": 5}, k=1))

    caller = threading.Thread(target=ask_all_the_time)

    def has_answered(version):
        assert caller.is_alive()
        return answers and answers[-1].release == version

    caller.start()
    released = {ReleaseStore(base).versions()[-1]: 100.0}
    try:
        for release in (2, 3, 4):
            manifest = push(cascade_models(release), base, stages=STAGES)
            released[manifest.version] = 100.0 * release
            wait_until(lambda version=manifest.version: has_answered(version))
    finally:
        done.set()
        caller.join()
    assert {answer.release for answer in answers} == set(released)
    assert all(complete)
    assert all(answer.scores == [released[answer.release]] for answer in answers)


def test_a_release_that_a_later_stage_lacks_is_answered_by_the_one_before(base, server, follower, cascade_models):
    first = ReleaseStore(base).versions()[-1]
    second = push(cascade_models(2), base, stages=STAGES).version
    wait_until(lambda: server.available_versions("retrieval") == [second, first])
    shutil.rmtree(base / "ranking" / str(second))
    wait_until(lambda: server.available_versions("ranking") == [first])
    answer = follower.recommend(context={"tab": 5}, k=1)
    assert (answer.release, answer.scores) == (first, [100.0])


def test_no_release_is_complete(base, server, follower, cascade_models):
    first = ReleaseStore(base).versions()[-1]
    (base / "ranking" / str(first)).rename(base / "ranking" / "5")  # a version without a manifest is not served
    wait_until(lambda: not server.available_versions("ranking"))
    with pytest.raises(ReleaseNotFoundError, match=r"No release at .* has all of \['retrieval', 'ranking'\]"):
        follower.recommend()


def test_raw_tensors_answer_as_examples_do(target):
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
    with ModelClient(target) as models:
        answer = models.make(predict("retrieval", "retrieve", inputs, end_s=time.monotonic() + PATIENCE_S))
    assert answer.outputs["item_id"].tolist() == [[b"i9", b"i8"]]
    assert answer.outputs["score"].tolist() == [[9.0, 8.0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stages": []}, "`stages` must hold at least one stage. Received: none"),
        (
            {"stages": ["retrieval"]},
            "`stages` must hold a `Stage` each, as a manifest does. Received: \\['retrieval'\\]",
        ),
        ({"deadline_s": 0}, "`deadline_s` must be positive. Received: deadline_s=0"),
        ({"deadline_s": float("inf")}, "`deadline_s` must be positive"),
        ({"hop_share": 0}, "`hop_share` must be above 0 and at most 1. Received: hop_share=0"),
        ({"hop_share": 1.5}, "`hop_share` must be above 0 and at most 1. Received: hop_share=1.5"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        ClientConfig(**{"stages": STAGES} | arguments)
