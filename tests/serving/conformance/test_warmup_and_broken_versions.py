"""Versions that must not be served before they are warm, or at all."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from conformance_requests import (
    config_of,
    fails,
    predict,
    predict_request,
    serve,
    spec,
    state,
    status,
)
from patience import wait_until
from tensorflow_serving.apis import prediction_log_pb2

WARMUP = "assets.extra/tf_serving_warmup_requests"


@pytest.fixture(scope="module")
def base(changing, put, tmp_path_factory):
    """Folder of `fragile` and `counter`, version 1 of each is served."""
    folder = tmp_path_factory.mktemp("fragile")
    put(folder / "fragile", 1, "half_plus", 1.0)
    put(folder / "counter", 1, "counter")
    serve(changing, *(config_of(name, folder / name) for name in ("fragile", "counter")))
    return folder


def fragile(server):
    """Value and version that the model answers with."""
    response = predict(server, spec("fragile"), {"x": np.float32([0])})
    return response.outputs["y"].float_val[0], response.model_spec.version.value


def calls(server):
    response = predict(server, spec("counter"), {"x": np.float32([0])})
    return response.outputs["calls"].int64_val[0], response.model_spec.version.value


@pytest.fixture
def add_counter(changing, base, saved):
    """Adds a version of `counter` with a warm-up file; returns when the server has made up its mind."""

    def add(version, write):
        staged = base / f"staged-{version}"
        shutil.copytree(saved("counter"), staged)
        (staged / "assets.extra").mkdir()
        write(staged / WARMUP)
        staged.rename(base / "counter" / str(version))
        wait_until(lambda: state(changing, "counter", version) in ("AVAILABLE", "END"))

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


def test_warm_up(changing, add_counter):
    add_counter(2, records(1, 2, 3))
    assert calls(changing) == (3, 2)
    add_counter(3, lambda path: path.write_bytes(b"no TFRecord at all, just some bytes"))
    add_counter(4, records(-1))
    for version in (3, 4):
        ended, code, message = status(changing, spec("counter", version))[version]
        assert (ended, code != 0, message != "") == ("END", True, True)
    assert calls(changing) == (4, 2)
    add_counter(5, records(1))
    assert calls(changing) == (1, 5)


def test_broken_versions(changing, base, put, saved):
    versions = base / "fragile"
    (versions / "2").mkdir()
    wait_until(lambda: state(changing, "fragile", 2) == "END")
    message = f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {versions / '2'}"
    now, code, said = status(changing, spec("fragile", 2))[2]
    assert (now, code) == ("END", 5)
    assert said.replace(" or .pbtxt", "") == message.replace(" or .pbtxt", "")

    shutil.copytree(saved("half_plus", 3.0), base / "damaged")
    (base / "damaged" / "saved_model.pb").write_bytes(b"no protobuf")
    (base / "damaged").rename(versions / "3")
    wait_until(lambda: state(changing, "fragile", 3) == "END")
    assert status(changing, spec("fragile", 3))[3][1] != 0

    shutil.copytree(saved("half_plus", 4.0), base / "bare")
    shutil.rmtree(base / "bare" / "variables")
    (base / "bare").rename(versions / "4")
    wait_until(lambda: state(changing, "fragile", 4) in ("END", "AVAILABLE"))
    if state(changing, "fragile", 4) == "END":
        assert fragile(changing) == (1.0, 1)
    else:
        fails(lambda: fragile(changing))
    assert calls(changing)[1] >= 1

    put(versions, 5, "half_plus", 5.0)
    wait_until(lambda: state(changing, "fragile", 5) == "AVAILABLE")
    assert fragile(changing) == (5.0, 5)
