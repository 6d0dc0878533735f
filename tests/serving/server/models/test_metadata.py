import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2


def metadata(stubs, model_spec, *fields):
    request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=model_spec, metadata_field=fields)
    return stubs.prediction.GetModelMetadata(request)


def test_signatures_with_names_dtypes_shapes_and_methods(stubs):
    response = metadata(stubs, stubs.model_spec("assorted"), "signature_def")
    assert response.model_spec == stubs.model_spec("assorted", 1)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "echo", "pair", "matrix"} < set(signatures.signature_def)
    matrix = signatures.signature_def["matrix"]
    assert matrix.method_name == "tensorflow/serving/predict"
    assert matrix.inputs["x"].name == "matrix_x:0"
    assert tf.as_dtype(matrix.inputs["x"].dtype) == tf.float32
    assert tf.TensorShape(matrix.inputs["x"].tensor_shape).as_list() == [None, 2]
    assert set(matrix.outputs) == {"y"}


@pytest.mark.parametrize(
    ("model", "fields", "code", "message"),
    [
        ("half", [], "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field"),
        ("half", ["assets"], "INVALID_ARGUMENT", "Metadata field assets is not supported"),
        ("nope", ["signature_def"], "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        ("", ["signature_def"], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    ],
)
def test_refusals(stubs, model, fields, code, message):
    with pytest.raises(grpc.RpcError) as caught:
        metadata(stubs, stubs.model_spec(model), *fields)
    assert (caught.value.code().name, caught.value.details()) == (code, message)


def test_unknown_version_and_missing_model_spec(stubs):
    with pytest.raises(grpc.RpcError, match=r"Specific\(half, 4\)"):
        metadata(stubs, stubs.model_spec("half", 4), "signature_def")
    with pytest.raises(grpc.RpcError, match="Missing ModelSpec"):
        metadata(stubs, None, "signature_def")
