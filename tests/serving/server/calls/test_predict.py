import concurrent.futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from gate import SIGNATURE, Gate
from tensorflow_serving.apis import predict_pb2


@pytest.fixture
def fails(stubs):
    """Asserts that a call ends with a code and a message."""

    def check(code, message, *args, **fields):
        with pytest.raises(grpc.RpcError) as caught:
            stubs.predict(*args, **fields)
        assert (caught.value.code().name, caught.value.details()) == (code, message)

    return check


X = {"x": np.float32([1, 2, 5])}


def test_answers_and_echoes_default_signature_and_version(stubs):
    response = stubs.predict("half", X)
    assert list(response.outputs["y"].float_val) == [2.5, 3.0, 4.5]
    assert response.outputs["y"].dtype == tf.float32.as_datatype_enum
    assert [dim.size for dim in response.outputs["y"].tensor_shape.dim] == [3]
    assert response.outputs["y"].tensor_content == b""
    assert response.model_spec == stubs.model_spec("half", 123, "serving_default")


def test_honours_and_echoes_version_and_signature(stubs):
    response = stubs.predict("half", X, "twice", 123)
    assert response.model_spec == stubs.model_spec("half", 123, "twice")
    assert list(response.outputs["y"].float_val) == [5.0, 6.0, 9.0]
    assert list(response.outputs["x2"].float_val) == [2.0, 4.0, 10.0]


def test_output_filter_selects(stubs):
    assert set(stubs.predict("half", X, "twice", output_filter=["x2"]).outputs) == {"x2"}


def test_output_filter_refuses_unknown_and_duplicate(fails):
    fails(
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: z Outputs expected to be in the set {x2,y}.",
        "half",
        X,
        "twice",
        output_filter=["y", "z"],
    )
    fails("INVALID_ARGUMENT", "duplicate output tensor alias: y", "half", X, output_filter=["y", "y"])


def test_unknown_model_and_version(fails):
    fails("NOT_FOUND", "Servable not found for request: Latest(nope)", "nope", X)
    fails("NOT_FOUND", "Servable not found for request: Specific(half, 7)", "half", X, version=7)
    fails("NOT_FOUND", "Servable not found for request: Specific(nope, 0)", "nope", X, version=0)


def test_model_spec_that_names_no_model(stubs, fails):
    with pytest.raises(grpc.RpcError, match="Missing ModelSpec") as caught:
        stubs.prediction.Predict(predict_pb2.PredictRequest())
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    fails("INVALID_ARGUMENT", "ModelSpec has no name specified.", "", X)


def test_unknown_version_label(stubs):
    request = stubs.request("half", X)
    request.model_spec.version_label = "canary"
    with pytest.raises(grpc.RpcError, match="Unrecognized servable version label: canary") as caught:
        stubs.prediction.Predict(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_unknown_signature(fails):
    fails("FAILED_PRECONDITION", 'Serving signature key "nope" not found.', "half", X, "nope")


def test_input_names_are_checked(fails):
    a, c = np.float32([1]), np.float32([2])
    fails(
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=2 len({}) != len({a,b}). Sent extra: {}. Missing but required: {a,b}.",
        "assorted",
        {},
        "pair",
    )
    fails(
        "INVALID_ARGUMENT",
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}.",
        "assorted",
        {"a": a},
        "pair",
    )
    fails(
        "INVALID_ARGUMENT",
        "input size does not match signature: 3!=2 len({a,b,c}) != len({a,b}). "
        "Sent extra: {c}. Missing but required: {}.",
        "assorted",
        {"a": a, "b": a, "c": c},
        "pair",
    )
    fails(
        "INVALID_ARGUMENT",
        "input tensor alias not found in signature: c. Inputs expected to be in the set {a,b}.",
        "assorted",
        {"a": a, "c": c},
        "pair",
    )


@pytest.mark.parametrize(
    ("value", "name"), [(np.array([b"1"], object), "string"), (np.float64([1]), "double"), (np.int64([1]), "int64")]
)
def test_wrong_dtype_is_not_cast(fails, value, name):
    fails("INVALID_ARGUMENT", f"Expects arg[0] to be float but {name} is provided", "half", {"x": value})


@pytest.mark.parametrize("shape", [(2, 3), (2,), (2, 2, 1)])
def test_wrong_shape(fails, shape):
    fails(
        "INVALID_ARGUMENT",
        f"Expects input x to have shape (None, 2) but {shape} is provided",
        "assorted",
        {"x": np.zeros(shape, np.float32)},
        "matrix",
    )


def test_content_that_does_not_fit_its_shape(fails):
    proto = tf.make_tensor_proto(np.float32([1, 2, 3]))
    proto.tensor_shape.dim[0].size = 4
    fails("INVALID_ARGUMENT", "tensor parsing error: x", "half", {"x": proto})
    fails("INVALID_ARGUMENT", "tensor parsing error: x", "half", {"x": proto.__class__()})


def test_every_encoding_of_a_tensor_is_read(stubs):
    content = tf.make_tensor_proto(np.float32([3, 3, 3]))
    assert content.tensor_content
    typed = content.__class__(dtype=content.dtype, tensor_shape=content.tensor_shape, float_val=[3, 3, 3])
    last_repeats = content.__class__(dtype=content.dtype, tensor_shape=content.tensor_shape, float_val=[3])
    for proto in (content, typed, last_repeats):
        assert list(stubs.predict("half", {"x": proto}).outputs["y"].float_val) == [3.5, 3.5, 3.5]


def test_matrix_rows_and_zero_rows(stubs):
    rows = np.float32([[1, 2], [3, 4], [5, 6]])
    response = stubs.predict("assorted", {"x": rows}, "matrix")
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["y"]), [[2.5, 3], [3.5, 4], [4.5, 5]])
    empty = stubs.predict("assorted", {"x": rows[:0]}, "matrix").outputs["y"]
    assert [dim.size for dim in empty.tensor_shape.dim] == [0, 2]


def test_dtypes_pass_through(stubs):
    inputs = {
        "float": np.float32([1.5, -np.inf]),
        "double": np.float64([1e300, 0.1]),
        "int32": np.int32([-(2**31), 2**31 - 1]),
        "int64": np.int64([-(2**63), 2**63 - 1]),
        "bool": np.array([True, False]),
        "string": np.array([b"\x00\xff\x00", "日本".encode()], object),
        "uint8": np.uint8([0, 255]),
        "half": np.float16([0.5, 65504]),
    }
    outputs = stubs.predict("assorted", inputs, "echo").outputs
    fields = {name: outputs[name].ListFields()[-1][0].name for name in outputs}
    assert fields == {
        "float": "float_val",
        "double": "double_val",
        "int32": "int_val",
        "int64": "int64_val",
        "bool": "bool_val",
        "string": "string_val",
        "uint8": "int_val",
        "half": "half_val",
    }
    for name, value in inputs.items():
        np.testing.assert_array_equal(tf.make_ndarray(outputs[name]), value, err_msg=name)


def test_strings_and_scalars(stubs):
    response = stubs.predict("assorted", {"s": np.array([b"ab", b""], object)})
    assert list(response.outputs["s"].string_val) == [b"abab", b""]
    response = stubs.predict("assorted", {"s": b"one"}, "scalar")
    assert (list(response.outputs["s"].string_val), len(response.outputs["s"].tensor_shape.dim)) == ([b"one"], 0)


def test_error_of_an_operation_is_one_line(fails):
    zero = {"a": np.int32([1]), "b": np.int32([0])}
    fails("INVALID_ARGUMENT", "Integer division by zero", "assorted", zero, "divide")


def test_messages_of_16_mb(stubs):
    values = np.arange(4 * 2**20, dtype=np.float32)
    response = stubs.predict("half", {"x": values})
    np.testing.assert_array_equal(np.float32(response.outputs["y"].float_val), values / 2 + 2)


def test_32_callers_get_their_own_answers(stubs):
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: stubs.half(float(n))[0], range(320)))
    assert answers == [n / 2 + 2 for n in range(320)]


def test_deadline_ends_the_call_and_the_server_stays_usable(stubs, tmp_path):
    with Gate(tmp_path / "gate") as gate:
        with pytest.raises(grpc.RpcError) as caught:
            stubs.prediction.Predict(
                stubs.request("assorted", gate.inputs, SIGNATURE), timeout=0.2
            )  # a slow machine may not even begin the call
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert stubs.half(2.0) == (3.0, 123)
