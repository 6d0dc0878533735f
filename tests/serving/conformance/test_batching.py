"""Calls that are joined."""

import concurrent.futures
import contextlib

import numpy as np
import pytest
from conformance_requests import examples, fails, predict, predict_request, spec
from conformance_server import running
from patience import PATIENCE_S
from tensorflow_serving.apis import regression_pb2


@pytest.fixture(scope="module")
def start(command, put, tmp_path_factory):
    """Starts a server in which a batch waits `timeout_s` for 8 rows and is padded to 4 or 8."""
    with contextlib.ExitStack() as stack:
        yield lambda timeout_s: stack.enter_context(_running(command, put, tmp_path_factory.mktemp("rows"), timeout_s))


@pytest.fixture(scope="module")
def batching(start):
    """Only full batches run, on a machine of any speed."""
    return start(timeout_s=3600)


@pytest.fixture(scope="module")
def hasty(start):
    """A call hardly waits for others."""
    return start(timeout_s=0.001)


def _running(command, put, base, timeout_s):
    put(base / "model", 1, "rows")
    (base / "batching.config").write_text(
        f"""
        max_batch_size {{ value: 8 }}
        batch_timeout_micros {{ value: {1e6 * timeout_s:.0f} }}
        max_enqueued_batches {{ value: 100 }}
        num_batch_threads {{ value: 2 }}
        allowed_batch_sizes: 4
        allowed_batch_sizes: 8
        """
    )
    flags = [
        "--model_name=rows",
        f"--model_base_path={base}/model",
        "--enable_batching=true",
        f"--batching_parameters_file={base}/batching.config",
    ]
    return running(command, flags, base / "server.log")


def x(*values):
    return {"x": np.float32(values)}


def test_concurrent_calls_run_together_and_get_their_own_rows(batching):
    requests = [predict_request(spec("rows"), x(n, 10 * n)) for n in range(4)]
    calls = [batching.prediction.Predict.future(request, timeout=PATIENCE_S) for request in requests]
    for n, call in enumerate(calls):
        outputs = call.result().outputs
        assert list(outputs["y"].float_val) == [n / 2 + 2, 5 * n + 2]
        assert list(outputs["rows"].int_val) == [8, 8]


def test_padding_is_not_returned(hasty):
    outputs = predict(hasty, spec("rows"), x(2.0)).outputs
    assert list(outputs["y"].float_val) == [3.0]
    assert list(outputs["rows"].int_val) == [4]
    five = predict(hasty, spec("rows"), x(1, 2, 3, 4, 5)).outputs
    assert list(five["rows"].int_val) == [8] * 5


def test_rest_and_grpc_share_a_batch(batching):
    request = predict_request(spec("rows"), x(0, 1, 2, 3))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        over_rest = pool.submit(batching.post, "rows:predict", {"instances": [4.0, 5.0, 6.0, 7.0]})
        over_grpc = batching.prediction.Predict(request, timeout=PATIENCE_S)
        rows = over_rest.result().json["predictions"]
    assert list(over_grpc.outputs["rows"].int_val) == [8] * 4
    assert rows == [{"rows": 8, "y": n / 2 + 2} for n in (4.0, 5.0, 6.0, 7.0)]


def test_one_model_under_the_name_of_the_flag(batching):
    assert predict(batching, spec("rows"), x(*range(8))).model_spec == spec("rows", 1, "serving_default")
    assert fails(lambda: predict(batching, spec("default"), x(2.0)))[0] == "NOT_FOUND"


def test_examples_are_batched_too(batching):
    def ask(value):
        request = regression_pb2.RegressionRequest(
            model_spec=spec("rows", signature="regress"), input=examples({"x": value})
        )
        return batching.prediction.Regress(request, timeout=PATIENCE_S).result.regressions[0].value

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, map(float, range(8)))) == [n / 2 + 2 for n in range(8)]


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("any_shape", {"x": np.float32(1)}, "Batching Run() input tensors must have at least one dimension"),
        (
            "pair",
            {"a": np.float32([1]), "b": np.float32([1, 2])},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
        ("", x(*range(9)), "Task size 9 is larger than maximum input batch size 8"),
    ],
)
def test_what_cannot_be_joined(batching, signature, inputs, message):
    code, said = fails(lambda: predict(batching, spec("rows", signature=signature), inputs))
    assert (code, said) == ("INVALID_ARGUMENT", message)


def test_64_callers_get_their_own_answers(batching):
    def ask(n):
        return list(predict(batching, spec("rows"), x(n)).outputs["y"].float_val)

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert list(pool.map(ask, range(256))) == [[n / 2 + 2] for n in range(256)]
