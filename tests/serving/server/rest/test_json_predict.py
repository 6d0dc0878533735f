import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.server.errors import ServingError
from serving.server.rest.json_predict import read_inputs, write_outputs

FLOAT, INT, TEXT = (tf.TensorSpec(None, dtype) for dtype in (tf.float32, tf.int64, tf.string))
DTYPES = [tf.float32, tf.float64, tf.int8, tf.uint8, tf.int32, tf.int64, tf.uint64, tf.bool, tf.string, tf.float16]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just({"b64": "YQ=="}),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "b64"]), children),
    max_leaves=8,
)


@pytest.mark.parametrize("form", ["row", "column"])
def test_what_is_read_can_be_written(form):
    specs = {"f": FLOAT, "n": INT, "s": TEXT}
    columns = {"f": [[0.5, 1.0], [2.0, 3.0]], "n": [7, -8], "s": [["a"], ["é"]]}
    rows = [{name: column[i] for name, column in columns.items()} for i in range(2)]
    document = {"instances": rows} if form == "row" else {"inputs": columns}
    inputs, found = read_inputs(document, specs)
    assert found == form
    assert {name: array.shape for name, array in inputs.items()} == {"f": (2, 2), "n": (2,), "s": (2, 1)}
    assert (inputs["f"].dtype, inputs["n"].dtype, inputs["s"][1, 0]) == (np.float32, np.int64, "é".encode())
    written = json.loads(write_outputs(inputs, form))
    assert written == {"predictions": rows} if form == "row" else {"outputs": columns}


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        (tf.uint8, 300, np.uint8(44)),  # as TF Serving, which reads it as an int32 first
        (tf.uint64, 2**64 - 1, np.uint64(2**64 - 1)),
        (tf.float64, 2**53 - 1, np.float64(2**53 - 1)),
        (tf.float32, 16777215, np.float32(16777215)),
        (tf.bool, True, np.bool_(True)),
        (tf.string, {"b64": "YQ"}, b"a"),
    ],
)
def test_values_of_every_kind(dtype, value, expected):
    inputs, _ = read_inputs({"inputs": value}, {"x": tf.TensorSpec([], dtype)})
    assert inputs["x"][()] == expected


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        (tf.float64, 2**53, "Cannot convert JSON value: 9007199254740992 to double without loss of precision."),
        (tf.float32, 1e39, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
        (tf.float32, 10**400, "to float without loss of precision."),
        (tf.uint32, -1, "JSON Value: -1 Type: Number is not of expected type: uint32"),
        (tf.string, [{"b64": 1}], "not formatted correctly for base64 data"),
        (tf.float16, 1.0, "Conversion of JSON Value: 1.0 to type: half"),
    ],
)
def test_values_that_do_not_fit(dtype, value, message):
    with pytest.raises(ServingError) as caught:
        read_inputs({"inputs": value}, {"x": tf.TensorSpec([], dtype)})
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"y": np.float32(1)}, "Tensor name: y has no shape information "),
        ({"y": np.zeros(0)}, "Tensor name: y has invalid batch size: 0"),
        ({"a": np.zeros(2), "b": np.zeros(3)}, "Tensor name: b has inconsistent batch size: 3 expecting: 2"),
        ({"y": np.zeros(1, np.float16)}, "Failed to write JSON value for tensor type: half"),
    ],
)
def test_outputs_that_are_no_rows(outputs, message):
    with pytest.raises(ServingError) as caught:
        write_outputs(outputs, "row")
    assert caught.value.message == message


def test_a_scalar_by_column():
    assert json.loads(write_outputs({"y": np.float32(1)}, "column")) == {"outputs": 1.0}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    document=st.dictionaries(st.sampled_from(["instances", "inputs", "signature_name"]), json_values, max_size=2),
    dtypes=st.lists(st.sampled_from(DTYPES), min_size=1, max_size=2),
)
def test_any_document_is_read_or_refused(document, dtypes):
    specs = {name: tf.TensorSpec(None, dtype) for name, dtype in zip("ab", dtypes, strict=False)}
    inputs, code = outcome(document, specs)
    if inputs is None:
        assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED)
    else:
        assert inputs.keys() == specs.keys()
        assert all(inputs[name].dtype == spec.dtype.as_numpy_dtype for name, spec in specs.items())


def outcome(document, specs):
    """What was read, or the code of the refusal."""
    try:
        return read_inputs(document, specs)[0], None
    except ServingError as error:
        return None, error.code
