"""Predict over gRPC."""

import concurrent.futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from conformance_models import ECHOED
from conformance_requests import fails, half, predict, predict_request, spec
from gate import SIGNATURE, Gate
from patience import PATIENCE_S
from tensorflow_serving.apis import predict_pb2

X = {"x": np.float32([1, 2, 5])}


def test_values_echoed_spec_and_typed_fields(server):
    response = predict(server, spec("half"), X)
    y = response.outputs["y"]
    assert list(y.float_val) == [2.5, 3.0, 4.5]
    assert (y.dtype, [dim.size for dim in y.tensor_shape.dim], y.tensor_content) == (tf.float32, [3], b"")
    assert response.model_spec == spec("half", 123, "serving_default")


def test_every_form_of_a_tensor_is_read(server):
    content = tf.make_tensor_proto(np.float32([3, 3, 3]))
    assert content.tensor_content
    typed = content.__class__(dtype=content.dtype, tensor_shape=content.tensor_shape, float_val=[3, 3, 3])
    last_repeats = content.__class__(dtype=content.dtype, tensor_shape=content.tensor_shape, float_val=[3])
    for proto in (content, typed, last_repeats):
        assert list(predict(server, spec("half"), {"x": proto}).outputs["y"].float_val) == [3.5, 3.5, 3.5]


def test_version_and_signature_are_honoured_and_echoed(server):
    response = predict(server, spec("half", 123, "twice"), X)
    assert response.model_spec == spec("half", 123, "twice")
    assert list(response.outputs["y"].float_val) == [5.0, 6.0, 9.0]
    assert list(response.outputs["x2"].float_val) == [2.0, 4.0, 10.0]
    assert half(server, 1.0) == (2.5, 123)


def test_output_filter(server):
    assert set(predict(server, spec("half", signature="twice"), X, "x2").outputs) == {"x2"}
    assert fails(lambda: predict(server, spec("half", signature="twice"), X, "y", "z")) == (
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: z Outputs expected to be in the set {x2,y}.",
    )
    assert fails(lambda: predict(server, spec("half"), X, "y", "y")) == (
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: y",
    )


@pytest.mark.parametrize(
    ("model_spec", "code", "message"),
    [
        (spec("nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        (spec("half", 7), "NOT_FOUND", "Servable not found for request: Specific(half, 7)"),
        (spec("half", label="canary"), "INVALID_ARGUMENT", "Unrecognized servable version label: canary"),
        (spec(""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (None, "INVALID_ARGUMENT", "Missing ModelSpec"),
        (spec("half", signature="nope"), "FAILED_PRECONDITION", 'Serving signature key "nope" not found.'),
    ],
)
def test_what_is_not_there(server, model_spec, code, message):
    request = predict_pb2.PredictRequest(model_spec=model_spec)
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(X["x"]))
    assert fails(lambda: server.prediction.Predict(request)) == (code, message)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            "",
            "input size does not match signature: 0!=2 len({}) != len({a,b}). Sent extra: {}. "
            "Missing but required: {a,b}.",
        ),
        (
            "a",
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. "
            "Missing but required: {b}.",
        ),
        (
            "abc",
            "input size does not match signature: 3!=2 len({a,b,c}) != len({a,b}). Sent extra: {c}. "
            "Missing but required: {}.",
        ),
        ("ac", "input tensor alias not found in signature: c. Inputs expected to be in the set {a,b}."),
    ],
)
def test_inputs_that_are_missing_or_too_much(server, names, message):
    inputs = {name: np.float32([1]) for name in names}
    call = lambda: predict(server, spec("assorted", signature="pair"), inputs)  # noqa: E731
    assert fails(call) == ("INVALID_ARGUMENT", message)


@pytest.mark.parametrize(
    ("value", "name"), [(np.array([b"1"], object), "string"), (np.float64([1]), "double"), (np.int64([1]), "int64")]
)
def test_wrong_dtype_is_not_cast(server, value, name):
    code, message = fails(lambda: predict(server, spec("half"), {"x": value}))
    assert code == "INVALID_ARGUMENT"
    assert f"to be float but {name} is provided" in message


def test_wrong_inner_dimension(server):
    code, _ = fails(lambda: predict(server, spec("assorted"), {"x": np.zeros((2, 3), np.float32)}))
    assert code == "INVALID_ARGUMENT"


def test_content_that_does_not_fit_its_shape(server):
    proto = tf.make_tensor_proto(np.float32([1, 2, 3]))
    proto.tensor_shape.dim[0].size = 4
    for broken in (proto, proto.__class__()):
        assert fails(lambda broken=broken: predict(server, spec("half"), {"x": broken})) == (
            "INVALID_ARGUMENT",
            "tensor parsing error: x",
        )


def test_rows_of_a_matrix_and_none_at_all(server):
    rows = np.float32([[1, 2], [3, 4], [5, 6]])
    y = predict(server, spec("assorted"), {"x": rows}).outputs["y"]
    np.testing.assert_array_equal(tf.make_ndarray(y), [[2.5, 3], [3.5, 4], [4.5, 5]])
    empty = predict(server, spec("assorted"), {"x": rows[:0]}).outputs["y"]
    assert [dim.size for dim in empty.tensor_shape.dim] == [0, 2]


def test_dtypes_pass_through(server):
    inputs = {
        "float": np.float32([1.5, -np.inf]),
        "double": np.float64([1e300, 0.1]),
        "int32": np.int32([-(2**31), 2**31 - 1]),
        "int64": np.int64([-(2**63), 2**63 - 1]),
        "bool": np.array([True, False]),
        "string": np.array([b"\x00\xff\x00", "日本".encode()], object),
        "uint8": np.uint8([0, 255]),
    }
    assert inputs.keys() == ECHOED.keys()
    outputs = predict(server, spec("assorted", signature="echo"), inputs).outputs
    for name, value in inputs.items():
        assert outputs[name].dtype == ECHOED[name], name
        np.testing.assert_array_equal(tf.make_ndarray(outputs[name]), value, err_msg=name)


def test_an_operation_that_refuses_its_values(server):
    zero = {"a": np.int32([1]), "b": np.int32([0])}
    code, message = fails(lambda: predict(server, spec("assorted", signature="divide"), zero))
    assert code == "INVALID_ARGUMENT"
    assert "Integer division by zero" in message


def test_messages_of_16_mb(server):
    values = np.arange(4 * 2**20, dtype=np.float32)
    response = predict(server, spec("half"), {"x": values})
    np.testing.assert_array_equal(np.float32(response.outputs["y"].float_val), values / 2 + 2)


def test_32_callers_get_their_own_answers(server):
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: half(server, float(n))[0], range(320)))
    assert answers == [n / 2 + 2 for n in range(320)]


def test_a_deadline_ends_its_call_only(server, tmp_path):
    with Gate(tmp_path / "gate") as gate:
        request = predict_request(spec("assorted", signature=SIGNATURE), gate.inputs)
        with pytest.raises(grpc.RpcError) as caught:
            server.prediction.Predict(request, timeout=0.2)  # a slow machine may not even begin the call
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert half(server, 2.0) == (3.0, 123)


def test_bytes_that_are_no_request(server):
    call = server.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    code, _ = fails(lambda: call(b"\xff\xff\xff", timeout=PATIENCE_S))
    assert code == "INTERNAL"
    missing = server.channel.unary_unary("/tensorflow.serving.PredictionService/Nothing")
    assert fails(lambda: missing(b"", timeout=PATIENCE_S))[0] == "UNIMPLEMENTED"
    assert half(server, 2.0) == (3.0, 123)
