"""GetModelStatus, GetModelMetadata and the health service."""

import pytest
import tensorflow as tf
from conformance_requests import AVAILABLE, fails, spec, status
from patience import PATIENCE_S
from tensorflow_serving.apis import get_model_metadata_pb2


def metadata(server, model_spec, *fields):
    request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=model_spec, metadata_field=fields)
    return server.prediction.GetModelMetadata(request, timeout=PATIENCE_S)


def test_status_of_a_loaded_model(server):
    assert status(server, spec("half")) == {123: AVAILABLE}
    assert status(server, spec("half", 123)) == {123: AVAILABLE}


@pytest.mark.parametrize(
    ("model_spec", "code", "message"),
    [
        (spec("nope"), "NOT_FOUND", "Could not find any versions of model nope"),
        (spec("half", 5), "NOT_FOUND", "Could not find version 5 of model half"),
        (None, "INVALID_ARGUMENT", "Missing ModelSpec"),
    ],
)
def test_status_of_what_is_not_there(server, model_spec, code, message):
    assert fails(lambda: status(server, model_spec)) == (code, message)


def test_signature_definitions(server):
    response = metadata(server, spec("half"), "signature_def")
    assert response.model_spec == spec("half", 123)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    default, classify = signatures.signature_def["serving_default"], signatures.signature_def["classify"]
    assert default.method_name == "tensorflow/serving/predict"
    assert (default.inputs["x"].name, default.inputs["x"].dtype) == ("x:0", tf.float32)
    assert tf.TensorShape(default.inputs["x"].tensor_shape).as_list() == [None]
    assert set(default.outputs) == {"y"}
    assert classify.method_name == "tensorflow/serving/classify"
    assert set(classify.outputs) == {"classes", "scores"}


@pytest.mark.parametrize(
    ("model_spec", "fields", "code", "message"),
    [
        (spec("half"), [], "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field"),
        (spec("half"), ["assets"], "INVALID_ARGUMENT", "Metadata field assets is not supported"),
        (None, ["signature_def"], "INVALID_ARGUMENT", "Missing ModelSpec"),
        (spec("nope"), ["signature_def"], "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        (spec("half", 4), ["signature_def"], "NOT_FOUND", "Servable not found for request: Specific(half, 4)"),
    ],
)
def test_metadata_refuses(server, model_spec, fields, code, message):
    assert fails(lambda: metadata(server, model_spec, *fields)) == (code, message)


def test_health(server):
    check = server.channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"", timeout=PATIENCE_S) == b"\x08\x01"  # status: SERVING
    unknown = b"\x0a\x04nope"  # service: "nope"
    assert fails(lambda: check(unknown, timeout=PATIENCE_S))[0] == "NOT_FOUND"
