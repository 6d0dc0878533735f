"""Classify, Regress and MultiInference."""

import pytest
from conformance_requests import examples, fails, spec
from patience import PATIENCE_S
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
EMPTY = ("INVALID_ARGUMENT", "Input is empty.")


def classify(server, model_spec, request_input):
    request = classification_pb2.ClassificationRequest(model_spec=model_spec, input=request_input)
    return server.prediction.Classify(request, timeout=PATIENCE_S)


def regress(server, model_spec, request_input):
    request = regression_pb2.RegressionRequest(model_spec=model_spec, input=request_input)
    return server.prediction.Regress(request, timeout=PATIENCE_S)


def multi_inference(server, request_input, *tasks):
    request = inference_pb2.MultiInferenceRequest(input=request_input)
    for model_spec, method in tasks:
        request.tasks.add(model_spec=model_spec, method_name=method)
    return server.prediction.MultiInference(request, timeout=PATIENCE_S)


def classes(response):
    rows = response.result.classifications
    return [[(one.label, one.score) for one in row.classes] for row in rows]


def values(response):
    return [row.value for row in response.result.regressions]


def test_classify_with_scores_only(server):
    response = classify(server, spec("half", signature="scores_only"), examples({"x": 2.0}))
    assert classes(response) == [[("", 3.0), ("", -3.0)]]
    assert response.model_spec == spec("half", 123, "scores_only")


def test_classify_with_classes_and_scores(server):
    response = classify(server, spec("half", signature="classify"), examples({"x": 2.0}, {"x": 4.0}))
    assert classes(response) == [[("up", 3.0), ("down", -3.0)], [("up", 4.0), ("down", -4.0)]]


def test_regress(server):
    response = regress(server, spec("half", 123, "regress"), examples({"x": 2.0}, {"x": 0.0}))
    assert values(response) == [3.0, 2.0]
    assert response.model_spec == spec("half", 123, "regress")


def test_context_is_merged_into_every_example(server):
    merged = examples({"x": 2.0}, {"x": 4.0, "bias": 1.0}, context={"bias": 10.0})
    assert values(regress(server, spec("half", signature="regress"), merged)) == [13.0, 5.0]
    only_context = examples(context={"x": 2.0})
    assert fails(lambda: regress(server, spec("half", signature="regress"), only_context)) == EMPTY


def test_no_examples(server):
    assert fails(lambda: classify(server, spec("half", signature="classify"), None)) == EMPTY
    assert fails(lambda: regress(server, spec("half", signature="regress"), examples())) == EMPTY


def test_an_example_that_does_not_fit(server):
    code, message = fails(lambda: regress(server, spec("half", signature="regress"), examples({"x": 2})))
    assert code == "INVALID_ARGUMENT"
    assert "Data types don't match" in message
    assert fails(lambda: regress(server, spec("half", signature="regress"), examples({})))[0] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("call", [classify, regress])
def test_unknown_signature_model_and_version(server, call):
    good = examples({"x": 2.0})
    assert fails(lambda: call(server, spec("half", signature="nope"), good)) == (
        "INVALID_ARGUMENT",
        "No signature was found with the name: nope",
    )
    assert fails(lambda: call(server, None, good)) == ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert fails(lambda: call(server, spec("nope"), good)) == (
        "NOT_FOUND",
        "Servable not found for request: Latest(nope)",
    )
    assert fails(lambda: call(server, spec("half", 9), good))[0] == "NOT_FOUND"


def test_signatures_of_another_kind(server):
    good = examples({"x": 2.0})
    code, message = fails(lambda: classify(server, spec("half"), good))
    assert code == "INVALID_ARGUMENT"
    assert message.startswith("No classification inputs found in SignatureDef: ")
    assert fails(lambda: classify(server, spec("assorted", signature="pair"), good)) == (
        "INVALID_ARGUMENT",
        "Expected one input Tensor.",
    )
    assert fails(lambda: regress(server, spec("half", signature="two_outputs"), good)) == (
        "INVALID_ARGUMENT",
        "Expected one output Tensor.",
    )
    code, message = fails(lambda: classify(server, spec("half", signature="regress"), good))
    assert code == "INVALID_ARGUMENT"
    assert message.startswith("Expected classification signature outputs to contain at least one of")


def test_multi_inference_answers_in_the_order_of_its_tasks(server):
    regression, classification = spec("half", signature="regress"), spec("half", signature="classify")
    response = multi_inference(
        server, examples({"x": 2.0}, {"x": 4.0}), (regression, REGRESS), (classification, CLASSIFY)
    )
    first, second = response.results
    assert [row.value for row in first.regression_result.regressions] == [3.0, 4.0]
    assert first.model_spec == spec("half", 123, "regress")
    assert [row.classes[0].label for row in second.classification_result.classifications] == ["up", "up"]
    assert second.model_spec == spec("half", 123, "classify")


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        (
            [(spec("half", signature="regress"), REGRESS), (spec("three", signature="classify"), CLASSIFY)],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [(spec("half", signature="nope"), REGRESS)],
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: nope",
        ),
        ([], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            [(spec("half", signature="regress"), REGRESS)] * 2,
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: regress",
        ),
        (
            [(spec("half", signature="regress"), REGRESS), (spec("half", signature="regress_elsewhere"), REGRESS)],
            "INVALID_ARGUMENT",
            "Input tensor must be the same for all Signatures.",
        ),
        (
            [(spec("half"), "tensorflow/serving/predict")],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        ([(spec("nope"), REGRESS)], "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    ],
)
def test_multi_inference_refuses(server, tasks, code, message):
    assert fails(lambda: multi_inference(server, examples({"x": 2.0}), *tasks)) == (code, message)


def test_multi_inference_without_examples(server):
    assert fails(lambda: multi_inference(server, None, (spec("half", signature="regress"), REGRESS))) == EMPTY
