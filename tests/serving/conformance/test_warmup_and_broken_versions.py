"""Versions that must not be served before they are warm, or at all."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from conformance_requests import (
    config_of,
    fails,
    half,
    predict,
    predict_request,
    spec,
    state,
    status,
    wait_until,
)
from conformance_server import running
from tensorflow_serving.apis import prediction_log_pb2

WARMUP = "assets.extra/tf_serving_warmup_requests"


@pytest.fixture(scope="module")
def polling(command, put, tmp_path_factory):
    """A server with `half` and `counter`, version 1 of each."""
    base = tmp_path_factory.mktemp("polling")
    put(base / "half", 1, "half_plus", 1.0)
    put(base / "counter", 1, "counter")
    config = config_of("half", base / "half") + config_of("counter", base / "counter")
    (base / "models.config").write_text(f"model_config_list {{ {config} }}")
    flags = [f"--model_config_file={base}/models.config", "--max_num_load_retries=0"]
    with running(command, flags, base / "server.log") as server:
        server.folder = base
        yield server


def calls(server):
    response = predict(server, spec("counter"), {"x": np.float32([0])})
    return response.outputs["calls"].int64_val[0], response.model_spec.version.value


@pytest.fixture
def add_counter(polling, saved):
    """Adds a version of `counter` with a warm-up file; returns when the server has made up its mind."""

    def add(version, write):
        staged = polling.folder / f"staged-{version}"
        shutil.copytree(saved("counter"), staged)
        (staged / "assets.extra").mkdir()
        write(staged / WARMUP)
        staged.rename(polling.folder / "counter" / str(version))
        wait_until(lambda: state(polling, "counter", version) in ("AVAILABLE", "END"))

    return add


def records(*values):
    """Writes warm-up requests."""

    def write(path):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for value in values:
                request = predict_request(spec("counter"), {"x": np.float32([value])})
                log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
                writer.write(log.SerializeToString())

    return write


def test_warm_up(polling, add_counter):
    add_counter(2, records(1, 2, 3))
    assert calls(polling) == (3, 2)
    add_counter(3, lambda path: path.write_bytes(b"no TFRecord at all, just some bytes"))
    add_counter(4, records(-1))
    for version in (3, 4):
        ended, code, message = status(polling, spec("counter", version))[version]
        assert (ended, code != 0, message != "") == ("END", True, True)
    assert calls(polling) == (4, 2)
    add_counter(5, records(1))
    assert calls(polling) == (1, 5)


def test_broken_versions(polling, put, saved):
    base = polling.folder / "half"
    (base / "2").mkdir()
    wait_until(lambda: state(polling, "half", 2) == "END")
    message = f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {base / '2'}"
    now, code, said = status(polling, spec("half", 2))[2]
    assert (now, code) == ("END", 5)
    assert said.replace(" or .pbtxt", "") == message.replace(" or .pbtxt", "")

    shutil.copytree(saved("half_plus", 3.0), polling.folder / "damaged")
    (polling.folder / "damaged" / "saved_model.pb").write_bytes(b"no protobuf")
    (polling.folder / "damaged").rename(base / "3")
    wait_until(lambda: state(polling, "half", 3) == "END")
    assert status(polling, spec("half", 3))[3][1] != 0

    shutil.copytree(saved("half_plus", 4.0), polling.folder / "bare")
    shutil.rmtree(polling.folder / "bare" / "variables")
    (polling.folder / "bare").rename(base / "4")
    wait_until(lambda: state(polling, "half", 4) in ("END", "AVAILABLE"))
    if state(polling, "half", 4) == "END":
        assert half(polling) == (1.0, 1)
    else:
        fails(lambda: half(polling))
    assert calls(polling)[1] >= 1

    put(base, 5, "half_plus", 5.0)
    wait_until(lambda: state(polling, "half", 5) == "AVAILABLE")
    assert half(polling) == (5.0, 5)
