"""Versions that come, go and break while the server runs."""

import itertools
import shutil
import threading
import time
import types

import grpc
import pytest
from gate import SIGNATURE, Gate
from patience import PATIENCE_S, wait_until
from tensorflow_serving.apis import get_model_status_pb2

from serving.server.models.model_config import VersionPolicy, model_config
from serving.server.program.server import ModelServer, ServeError

State = get_model_status_pb2.ModelVersionStatus


def status(stubs, name, version=None):
    """State, code and message by version."""
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=stubs.model_spec(name, version))
    return {
        s.version: (State.State.Name(s.state), s.status.error_code, s.status.error_message)
        for s in stubs.model.GetModelStatus(request).model_version_status
    }


NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
AVAILABLE, ENDED = ("AVAILABLE", 0, ""), ("END", 0, "")


@pytest.fixture
def half_server(tmp_path, half_plus, add_version, stubs_of):
    """Starts a server over `half` with the given versions; version n adds n."""
    servers = []

    class Server:
        base_path = tmp_path / "models" / "half"

        def add(self, *versions):
            for version in versions:
                add_version(half_plus(float(int(version))), self.base_path, version)

        def start(self, policy=None, **options):
            model = model_config("half", self.base_path)
            if policy is not None:
                model.model_version_policy.CopyFrom(policy)
            servers.append(ModelServer([model], poll_interval_s=0.05, **options))
            servers[-1].start()
            self.stubs = stubs_of(servers[-1].target)
            return self.stubs

        def versions_served(self):
            return {v for v, (state, *_) in status(self.stubs, "half").items() if state == "AVAILABLE"}

    yield Server()
    for server in servers:
        server.stop()


def test_status_of_loaded_unknown_and_missing(stubs):
    assert status(stubs, "half") == {123: AVAILABLE}
    assert status(stubs, "half", 123) == {123: AVAILABLE}
    for name, version, message in [
        ("nope", None, "Could not find any versions of model nope"),
        ("half", 5, "Could not find version 5 of model half"),
    ]:
        with pytest.raises(grpc.RpcError, match=message) as caught:
            status(stubs, name, version)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    with pytest.raises(grpc.RpcError, match="Missing ModelSpec") as caught:
        stubs.model.GetModelStatus(get_model_status_pb2.GetModelStatusRequest())
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_higher_version_takes_over_and_going_back_works_without_a_failed_call(half_server):
    half_server.add(1)
    stubs = half_server.start()
    seen, done = [], threading.Event()

    def call_all_the_time():
        while not done.is_set():
            seen.append(stubs.half(0.0))

    caller = threading.Thread(target=call_all_the_time)

    def sees(answer):
        assert caller.is_alive()
        return seen and seen[-1] == answer

    caller.start()
    try:
        wait_until(lambda: sees((1.0, 1)))
        half_server.add(3)
        wait_until(lambda: status(stubs, "half") == {1: ENDED, 3: AVAILABLE})
        with pytest.raises(grpc.RpcError, match=r"Servable not found for request: Specific\(half, 1\)"):
            stubs.half(0.0, version=1)
        wait_until(lambda: sees((3.0, 3)))
        shutil.rmtree(half_server.base_path / "3")
        wait_until(lambda: status(stubs, "half") == {1: AVAILABLE, 3: ENDED})
        assert stubs.half(0.0) == (1.0, 1)
        wait_until(lambda: sees((1.0, 1)))
    finally:
        done.set()
        caller.join()
    changes = [seen[0]] + [now for before, now in itertools.pairwise(seen) if now != before]
    assert changes == [(1.0, 1), (3.0, 3), (1.0, 1)]


def test_a_call_in_flight_finishes_on_its_version(tmp_path, assorted, add_version, stubs_of):
    base_path = tmp_path / "assorted"
    add_version(assorted, base_path, 1)
    with (
        ModelServer([model_config("assorted", base_path)], poll_interval_s=0.05) as server,
        Gate(tmp_path / "gate") as gate,
    ):
        stubs = stubs_of(server.target)
        call = stubs.prediction.Predict.future(stubs.request("assorted", gate.inputs, SIGNATURE))
        gate.wait_for_the_call()
        add_version(assorted, base_path, 2)
        wait_until(lambda: status(stubs, "assorted") == {1: ENDED, 2: AVAILABLE})
        gate.let_go()
        response = call.result()
        assert response.model_spec.version.value == 1
        assert list(response.outputs["held"].bool_val) == [True]


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        (None, {9}),
        (VersionPolicy(latest=VersionPolicy.Latest(num_versions=2)), {3, 9}),
        (VersionPolicy(specific=VersionPolicy.Specific(versions=[1, 3, 8])), {1, 3}),
        (VersionPolicy(all=VersionPolicy.All()), {1, 2, 3, 9}),
    ],
)
def test_policies(half_server, policy, served):
    half_server.add("0001", 2, 3, "00000009")
    stubs = half_server.start(policy)
    wait_until(lambda: half_server.versions_served() == served)
    assert stubs.half(0.0) == (float(max(served)), max(served))
    for version in served:
        assert stubs.half(0.0, version) == (float(version), version)
    assert set(status(stubs, "half")) == served


def test_broken_versions_end_with_an_error_while_the_good_one_serves(half_server, half_plus):
    half_server.add(1)
    stubs = half_server.start()
    base_path = half_server.base_path
    (base_path / "2").mkdir()
    wait_until(lambda: status(stubs, "half").get(2, ("",))[0] == "END")
    path = base_path / "2"
    message = f"Could not find SavedModel .pb at supplied export directory path: {path}"
    assert status(stubs, "half", 2) == {2: ("END", NOT_FOUND, message)}

    shutil.copytree(half_plus(3.0), base_path.parent / "damaged")
    (base_path.parent / "damaged" / "saved_model.pb").write_bytes(b"no protobuf")
    (base_path.parent / "damaged").rename(base_path / "3")
    wait_until(lambda: status(stubs, "half").get(3, ("",))[0] == "END")
    assert status(stubs, "half", 3)[3][1] == grpc.StatusCode.DATA_LOSS.value[0]

    shutil.copytree(half_plus(4.0), base_path.parent / "bare")
    shutil.rmtree(base_path.parent / "bare" / "variables")
    (base_path.parent / "bare").rename(base_path / "4")
    wait_until(lambda: status(stubs, "half").get(4, ("",))[0] == "END")
    assert status(stubs, "half", 4)[4][1] != 0
    assert stubs.half(0.0) == (1.0, 1)

    half_server.add(5)
    wait_until(lambda: half_server.versions_served() == {5})
    assert stubs.half(0.0) == (5.0, 5)


def test_a_broken_version_is_not_tried_again_until_it_left_the_disk(half_server, looks, caplog):
    half_server.add(1)
    stubs = half_server.start()
    (half_server.base_path / "2").mkdir()
    wait_until(lambda: status(stubs, "half").get(2, ("",))[0] == "END")
    looks.wait_for_one()
    failures = [r for r in caplog.records if "failed" in r.getMessage()]
    assert len(failures) == 1
    (half_server.base_path / "2").rmdir()
    looks.wait_for_one()
    half_server.add(2)
    wait_until(lambda: half_server.versions_served() == {2})


def test_a_failed_load_is_tried_again_as_often_as_asked(half_server, looks, caplog, monkeypatch):
    now_s = 0.0
    monkeypatch.setattr("serving.server.models.manager.time", types.SimpleNamespace(monotonic=lambda: now_s))
    half_server.add(1)
    stubs = half_server.start(max_num_load_retries=2, load_retry_interval_s=60.0)
    (half_server.base_path / "2").mkdir()
    for num_failures in (1, 2, 3):
        looks.wait_for_one()
        assert len([r for r in caplog.records if "failed" in r.getMessage()]) == num_failures
        assert status(stubs, "half")[2][:2] == (("LOADING", 0) if num_failures < 3 else ("END", NOT_FOUND))
        now_s += 60.0
    looks.wait_for_one()
    assert len([r for r in caplog.records if "failed" in r.getMessage()]) == 3
    assert stubs.half(0.0) == (1.0, 1)


def test_an_empty_base_path_unloads_and_a_missing_one_does_not(half_server, looks):
    half_server.add(1)
    stubs = half_server.start()
    half_server.base_path.rename(half_server.base_path.parent / "elsewhere")
    looks.wait_for_one()
    assert stubs.half(0.0) == (1.0, 1)
    half_server.base_path.mkdir()
    wait_until(lambda: status(stubs, "half") == {1: ENDED})


def test_the_only_version_is_broken_at_start(tmp_path):
    (tmp_path / "half" / "1").mkdir(parents=True)
    with pytest.raises(ServeError, match=r"1 servable\(s\) did not become available: half \(version 1: Could not find"):
        ModelServer([model_config("half", tmp_path / "half")]).start()


def test_a_model_without_versions_at_start(tmp_path):
    server = ModelServer([model_config("half", tmp_path / "half")], poll_interval_s=0.05, start_timeout_s=0.2)
    with pytest.raises(ServeError, match=r"did not become available: half \(no version found\)"):
        server.start()


def test_a_start_that_takes_too_long(tmp_path):
    (tmp_path / "half" / "1").mkdir(parents=True)
    retries = {"max_num_load_retries": 5, "load_retry_interval_s": 60.0}
    problem, start_timeout_s = "no version found", 0.5
    while "no version found" in problem and start_timeout_s < PATIENCE_S:  # a slow machine needs more time to look
        server = ModelServer([model_config("half", tmp_path / "half")], start_timeout_s=start_timeout_s, **retries)
        with pytest.raises(ServeError) as caught:
            server.start()
        problem = str(caught.value)
        start_timeout_s *= 2
    assert problem.endswith("did not become available: half (version 1: still loading)")


def test_only_released_versions_are_served(half_server):
    released = [1, 2]
    half_server.add(1, 2, 3)
    stubs = half_server.start(released_versions=lambda: released)
    assert stubs.half(0.0) == (2.0, 2)
    released.append(3)
    wait_until(lambda: half_server.versions_served() == {3})
    released.remove(3)
    wait_until(lambda: half_server.versions_served() == {2})


def test_what_is_served_stays_while_the_releases_cannot_be_seen(half_server, looks):
    answers = [[1], [], OSError("gone")]

    def released_versions():
        answer = answers[0] if len(answers) == 1 else answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    half_server.add(1)
    stubs = half_server.start(released_versions=released_versions)
    wait_until(lambda: len(answers) == 1)
    looks.wait_for_one()
    assert stubs.half(0.0) == (1.0, 1)
    half_server.add(2)
    answers.append([2])
    wait_until(lambda: half_server.versions_served() == {2})


def test_poll_interval_0_looks_once(half_server):
    half_server.add(1)
    with ModelServer([model_config("half", half_server.base_path)], poll_interval_s=0) as server:
        half_server.add(2)
        time.sleep(0.3)  # can only miss a fault on a slow machine, never report one
        assert server.available_versions("half") == [1]
