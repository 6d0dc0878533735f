"""Versions that come and go, policies, labels, and reloaded configurations."""

import itertools
import shutil
import threading

import grpc
import numpy as np
import pytest
from conformance_requests import (
    AVAILABLE,
    ENDED,
    config_of,
    fails,
    half,
    predict,
    predict_request,
    reload,
    serve,
    spec,
    state,
    status,
)
from gate import SIGNATURE, Gate
from patience import PATIENCE_S, wait_until


@pytest.fixture
def base(changing, tmp_path):
    return tmp_path / "half"


def served_versions(server):
    return {version for version, (now, *_) in status(server, spec("half")).items() if now == "AVAILABLE"}


def test_a_server_without_a_model_takes_a_first_configuration(changing, put, base):
    assert fails(lambda: half(changing))[0] == "NOT_FOUND"
    put(base, 3, "half_plus", 3.0)
    serve(changing, config_of("half", base))
    assert half(changing) == (3.0, 3)


def test_a_config_file_that_is_not_polled_is_ignored(changing, put, base):
    put(base, 1, "half_plus", 1.0)
    serve(changing, config_of("half", base))
    (changing.folder / "models.config").write_text("model_config_list { }")
    for version in (2, 3):  # it has time to look at the file: it looks at the folder twice
        put(base, version, "half_plus", float(version))
        wait_until(lambda version=version: half(changing) == (float(version), version))


def test_a_higher_version_takes_over_and_going_back_works_without_a_failed_call(changing, put, base):
    put(base, 1, "half_plus", 1.0)
    serve(changing, config_of("half", base))
    wait_until(lambda: half(changing) == (1.0, 1))
    seen, done = [], threading.Event()

    def call_all_the_time():
        while not done.is_set():
            seen.append(half(changing))

    caller = threading.Thread(target=call_all_the_time)

    def sees(answer):
        assert caller.is_alive()
        return seen and seen[-1] == answer

    caller.start()
    try:
        wait_until(lambda: sees((1.0, 1)))
        put(base, 3, "half_plus", 3.0)
        wait_until(lambda: (state(changing, "half", 1), state(changing, "half", 3)) == ("END", "AVAILABLE"))
        assert fails(lambda: half(changing, version=1)) == (
            "NOT_FOUND",
            "Servable not found for request: Specific(half, 1)",
        )
        wait_until(lambda: sees((3.0, 3)))
        shutil.rmtree(base / "3")
        wait_until(lambda: (state(changing, "half", 1), state(changing, "half", 3)) == ("AVAILABLE", "END"))
        assert status(changing, spec("half", 3)) == {3: ENDED}
        assert half(changing) == (1.0, 1)
        wait_until(lambda: sees((1.0, 1)))
    finally:
        done.set()
        caller.join()
    changes = [seen[0]] + [now for before, now in itertools.pairwise(seen) if now != before]
    assert changes == [(1.0, 1), (3.0, 3), (1.0, 1)]


def test_a_call_in_flight_finishes_on_its_version(changing, put, tmp_path):
    base = tmp_path / "assorted"
    put(base, 1, "assorted")
    serve(changing, config_of("assorted", base))
    with Gate(tmp_path / "gate") as gate:
        request = predict_request(spec("assorted", signature=SIGNATURE), gate.inputs)
        call = changing.prediction.Predict.future(request, timeout=PATIENCE_S)
        gate.wait_for_the_call()
        put(base, 2, "assorted")
        wait_until(lambda: state(changing, "assorted", 2) == "AVAILABLE")
    assert call.result().model_spec.version.value == 1
    wait_until(lambda: state(changing, "assorted", 1) == "END")


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("", {9}),
        ("latest { num_versions: 2 }", {3, 9}),
        ("specific { versions: 1 versions: 3 versions: 8 }", {1, 3}),
        ("all { }", {1, 3, 9}),
    ],
)
def test_policies(changing, put, base, policy, served):
    for version in ("0001", "3", "00000009"):
        put(base, version, "half_plus", float(version))
    serve(changing, config_of("half", base, f"model_version_policy {{ {policy} }}" if policy else ""))
    wait_until(lambda: served_versions(changing) == served)
    assert half(changing) == (float(max(served)), max(served))
    for version in served:
        assert half(changing, version=version) == (float(version), version)
    for version in {1, 2, 3, 9} - served:
        assert fails(lambda version=version: half(changing, version=version))[0] == "NOT_FOUND"


def test_labels(changing, put, base):
    for version in (1, 2):
        put(base, version, "half_plus", float(version))
    policy = "model_version_policy { all { } } "
    labels = 'version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 }'
    serve(changing, config_of("half", base, policy))
    wait_until(lambda: {1, 2} <= served_versions(changing))
    serve(changing, config_of("half", base, policy + labels))
    assert half(changing, label="stable") == (1.0, 1)
    assert half(changing, label="canary") == (2.0, 2)
    answer = changing.post("half/labels/stable:predict", {"instances": [4.0]})
    assert (answer.status, answer.json) == (200, {"predictions": [3.0]})

    unavailable = policy + 'version_labels { key: "stable" value: 7 }'
    assert fails(lambda: serve(changing, config_of("half", base, unavailable))) == (
        "FAILED_PRECONDITION",
        "Request to assign label to version 7 of model half, which is not currently available for inference",
    )
    assert half(changing, label="stable") == (1.0, 1)
    assert half(changing, label="canary") == (2.0, 2)

    serve(changing, config_of("half", base, policy + 'version_labels { key: "stable" value: 2 }'))
    assert half(changing, label="stable") == (2.0, 2)
    assert fails(lambda: half(changing, label="canary")) == (
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: canary",
    )


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        (
            [config_of("half", "/m"), config_of("half", "/m")],
            "Illegal to list model half multiple times in config list",
        ),
        (
            [config_of("half", "models/half")],
            "Expected model half to have an absolute path or URI; got base_path()=models/half",
        ),
        (['config { name: "new" base_path: "/m" model_platform: "pytorch" }'], "platform"),
    ],
)
def test_configurations_that_cannot_be_served(changing, configs, message):
    code, details = fails(lambda: serve(changing, *configs))
    assert code == "INVALID_ARGUMENT"
    assert message in details


def test_a_request_without_a_config_list(changing):
    for config in ("", "config { }"):
        code, message = fails(lambda config=config: reload(changing, config))
        assert code == "INVALID_ARGUMENT"
        assert "Only ModelConfigList is currently supported" in message


def test_a_model_left_out_is_unloaded_and_comes_back(changing, put, base, tmp_path):
    put(base, 1, "half_plus", 1.0)
    put(tmp_path / "other", 5, "half_plus", 5.0)
    serve(changing, config_of("half", base))
    serve(changing, config_of("other", tmp_path / "other"))
    assert predict(changing, spec("other"), {"x": np.float32([0])}).model_spec.version.value == 5
    wait_until(lambda: status(changing, spec("half", 1)) == {1: ENDED})
    assert fails(lambda: half(changing)) == ("NOT_FOUND", "Servable not found for request: Latest(half)")
    serve(changing, config_of("half", base), config_of("other", tmp_path / "other"))
    assert half(changing) == (1.0, 1)
    assert status(changing, spec("other")) == {5: AVAILABLE}


def test_a_new_model_that_cannot_be_loaded(changing, tmp_path):
    (tmp_path / "broken" / "1").mkdir(parents=True)
    code, message = fails(lambda: serve(changing, config_of("broken", tmp_path / "broken")))
    assert code == "UNKNOWN"
    assert "1 model(s) did not become available" in message


def test_the_same_services_on_a_unix_socket(changing, put, base):
    put(base, 1, "half_plus", 1.0)
    serve(changing, config_of("half", base))
    with grpc.insecure_channel(f"unix:{changing.folder}/socket") as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        request = predict_request(spec("half"), {"x": np.float32([0])})
        assert b"half" in call(request.SerializeToString(), timeout=PATIENCE_S)


def test_a_message_over_the_limit_of_the_channel_arguments(changing, put, base):
    put(base, 1, "half_plus", 1.0)
    serve(changing, config_of("half", base))
    code, message = fails(lambda: predict(changing, spec("half"), {"x": np.zeros(300_000, np.float32)}))
    assert code == "RESOURCE_EXHAUSTED"
    assert "larger than max" in message
    assert half(changing) == (1.0, 1)
