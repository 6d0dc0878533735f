"""Requests that went wrong on their way: an answer or a refusal, never an INTERNAL error, a crash or a flood."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from serving.server.calls.predict import predict
from serving.server.calls.signature import function_runner
from serving.server.errors import ServingError, from_exception
from serving.server.models.loader import Loader


@pytest.fixture(scope="module")
def echo(assorted):
    return Loader()("assorted", 1, str(assorted))


def request(signature, **inputs):
    message = predict_pb2.PredictRequest()
    message.model_spec.signature_name = signature
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return message


VALID = [
    request("serving_default", s=[b"ab", b"c"]),
    request("pair", a=np.float32([1, 2]), b=np.float32([3, 4])),
    request("divide", a=np.int32([1, 2]), b=np.int32([1, 0])),
]


def code_of(servable, message):
    """How the call ends."""
    try:
        predict(servable, message)
    except Exception as error:
        return from_exception(error).code
    return grpc.StatusCode.OK


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(valid=st.sampled_from(VALID), edits=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4))
def test_mutated_requests(echo, valid, edits):
    data = bytearray(valid.SerializeToString())
    for position, byte in edits:
        data[position % len(data)] = byte
    try:
        message = predict_pb2.PredictRequest.FromString(bytes(data))
    except DecodeError:
        return
    assert code_of(echo, message) != grpc.StatusCode.INTERNAL


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    dtype=st.integers(0, 30) | st.sampled_from([101, 107, 1000]),
    dims=st.lists(st.sampled_from([-(2**63), -1, 0, 1, 2, 3, 2**31, 2**62]), max_size=3),
    content=st.binary(max_size=9),
    values=st.lists(st.sampled_from([-(2**31), -1, 0, 1, 65536, 2**31 - 1]), max_size=3),
    field=st.sampled_from(["int_val", "half_val", "float_val", "int64_val", "bool_val"]),
    unknown_rank=st.booleans(),
)
def test_made_up_tensors(echo, dtype, dims, content, values, field, unknown_rank):
    proto = tensor_pb2.TensorProto(dtype=dtype, tensor_content=content)
    for size in dims:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = unknown_rank
    getattr(proto, field).extend(map(bool, values) if field == "bool_val" else values)
    for signature, name in (("pair", "a"), ("serving_default", "s"), ("divide", "b")):
        message = request(signature, a=np.int32([1])) if name == "b" else request(signature)
        if name == "a":
            message.inputs["b"].CopyFrom(tf.make_tensor_proto(np.float32([1])))
        message.inputs[name].CopyFrom(proto)
        assert code_of(echo, message) != grpc.StatusCode.INTERNAL


def test_a_few_bytes_that_stand_for_gigabytes(echo):
    message = request("pair", a=np.float32([1]), b=np.float32([1]))
    message.inputs["a"].ClearField("tensor_content")
    message.inputs["a"].float_val[:] = [1.0]
    message.inputs["a"].tensor_shape.dim[0].size = 2**33
    with pytest.raises(Exception, match="tensor parsing error: a"):
        predict(echo, message)


def test_an_operation_that_quotes_bytes_that_are_no_text():
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "s")])
    def numbers(s):
        return {"n": tf.strings.to_number(s)}

    info = meta_graph_pb2.TensorInfo(dtype=tf.string.as_datatype_enum)
    run = function_runner(meta_graph_pb2.SignatureDef(inputs={"s": info}), numbers.get_concrete_function())
    assert run({"s": np.array([b"1.5"], object)})["n"] == [1.5]
    with pytest.raises(ServingError, match="could not correctly convert string: \ufffd!") as caught:
        run({"s": np.array([b"\xff!"], object)})
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
