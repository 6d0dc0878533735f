"""Answers a MultiInferenceRequest."""

import numpy as np
from tensorflow_serving.apis import inference_pb2, model_pb2

from serving.server.calls import classify, regress
from serving.server.calls.examples import run_on_examples, serialized_examples
from serving.server.calls.servable import Servable, answered_by, signature_name
from serving.server.calls.signature import Signature
from serving.server.errors import invalid_argument, unimplemented


def multi_inference_model(request: inference_pb2.MultiInferenceRequest) -> model_pb2.ModelSpec:
    """Returns the ModelSpec that chooses the servable: the first task's, an empty one without tasks."""
    return request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()


def multi_inference(
    servable: Servable, request: inference_pb2.MultiInferenceRequest
) -> inference_pb2.MultiInferenceResponse:
    """Runs several classification and regression signatures of one model on the same examples.

    Raises:
      ServingError: INVALID_ARGUMENT where the tasks or the examples do not fit, UNIMPLEMENTED for other methods.
      tf.errors.OpError: the graph refused the values.
    """
    signatures = [_signature(servable, task) for task in request.tasks]
    _check_tasks(request, signatures)
    examples = serialized_examples(request.input)
    response = inference_pb2.MultiInferenceResponse()
    for task, signature in zip(request.tasks, signatures, strict=True):
        result = _run(task, signature, examples)
        result.model_spec.CopyFrom(answered_by(servable, task.model_spec))
        response.results.append(result)
    return response


def _signature(servable: Servable, task: inference_pb2.InferenceTask) -> Signature:
    name = signature_name(task.model_spec)
    if name not in servable.signatures:
        raise invalid_argument(f"Requested signature not found in model graph: {name}")
    signature = servable.signatures[name]
    if task.method_name == classify.METHOD_NAME:
        servable.check_method(signature, classify.METHOD_NAME)
        classify.classification_outputs(signature)
    elif task.method_name == regress.METHOD_NAME:
        servable.check_method(signature, regress.METHOD_NAME)
        regress.regression_output(signature)
    else:
        raise unimplemented(f"Unsupported signature method_name: {task.method_name}")
    return signature


def _check_tasks(request: inference_pb2.MultiInferenceRequest, signatures: list[Signature]) -> None:
    names: set[str] = set()
    for task in request.tasks:
        if not task.model_spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        if task.model_spec.name != request.tasks[0].model_spec.name:
            raise invalid_argument("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = signature_name(task.model_spec)
        if name in names:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        names.add(name)
    tensors = {info.name for signature in signatures for info in signature.definition.inputs.values()}
    if len(tensors) > 1:
        raise invalid_argument("Input tensor must be the same for all Signatures.")


def _run(
    task: inference_pb2.InferenceTask, signature: Signature, examples: np.ndarray
) -> inference_pb2.InferenceResult:
    if task.method_name == classify.METHOD_NAME:
        outputs = run_on_examples(signature, examples, classify.classification_outputs(signature), "MultiInference")
        return inference_pb2.InferenceResult(
            classification_result=classify.classification_result(outputs, len(examples))
        )
    output = regress.regression_output(signature)
    values = run_on_examples(signature, examples, [output], "MultiInference")[output]
    return inference_pb2.InferenceResult(regression_result=regress.regression_result(values, len(examples)))
