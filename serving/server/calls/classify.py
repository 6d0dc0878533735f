"""Answers a ClassificationRequest."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2

from serving.server.calls.examples import run_on_examples, serialized_examples
from serving.server.calls.servable import Servable, answered_by
from serving.server.calls.signature import Signature
from serving.server.errors import invalid_argument

METHOD_NAME = tf.saved_model.CLASSIFY_METHOD_NAME
_INPUTS, _CLASSES, _SCORES = (
    tf.saved_model.CLASSIFY_INPUTS,
    tf.saved_model.CLASSIFY_OUTPUT_CLASSES,
    tf.saved_model.CLASSIFY_OUTPUT_SCORES,
)


def classify(
    servable: Servable, request: classification_pb2.ClassificationRequest
) -> classification_pb2.ClassificationResponse:
    """Runs a signature that gives labels, scores or both for every class of every example.

    Raises:
      ServingError: INVALID_ARGUMENT where the signature or the examples do not fit.
      tf.errors.OpError: the graph refused the values.
    """
    signature = servable.signature_of_method(request.model_spec.signature_name, METHOD_NAME)
    outputs = classification_outputs(signature)
    examples = serialized_examples(request.input)
    results = run_on_examples(signature, examples, outputs, "Classify")
    return classification_pb2.ClassificationResponse(
        model_spec=answered_by(servable, request.model_spec), result=classification_result(results, len(examples))
    )


def classification_outputs(signature: Signature) -> list[str]:
    """Returns the outputs of a classification signature.

    Raises:
      ServingError: INVALID_ARGUMENT if it is none.
    """
    definition = signature.definition
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if _INPUTS not in signature.inputs:
        raise invalid_argument(f"No classification inputs found in SignatureDef: {definition}")
    outputs = [name for name in (_CLASSES, _SCORES) if name in signature.outputs]
    if not outputs:
        raise invalid_argument(
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or "{_SCORES}". '
            f"Signature was: {definition}"
        )
    return outputs


def classification_result(
    outputs: Mapping[str, np.ndarray], num_examples: int
) -> classification_pb2.ClassificationResult:
    """Returns the classes of every example from the output tensors.

    Raises:
      ServingError: INVALID_ARGUMENT if the tensors are no classes and scores.
    """
    for name, kind, dtype in ((_CLASSES, "classes", object), (_SCORES, "scores", np.float32)):
        if name in outputs:
            _check_output(kind, outputs[name], dtype, num_examples)
    classes, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid_argument(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = classification_pb2.ClassificationResult()
    num_classes = classes.shape[1] if classes is not None else scores.shape[1] if scores is not None else 0
    for row in range(num_examples):
        classifications = result.classifications.add()
        for column in range(num_classes):
            # Labels are text in the message; TF Serving would put any bytes there.
            label = "" if classes is None else classes[row, column].decode("utf-8", "replace")
            score = 0.0 if scores is None else scores[row, column]
            classifications.classes.add(label=label, score=score)
    return result


def _check_output(kind: str, array: np.ndarray, dtype: type, num_examples: int) -> None:
    if array.ndim != 2:
        raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {list(array.shape)}")
    if array.dtype != dtype:
        expected = "DT_STRING" if dtype is object else "DT_FLOAT"
        raise invalid_argument(f"Expected {kind} Tensor of {expected}. Got: {array.dtype}")
    if len(array) != num_examples:
        raise invalid_argument(f"Expected {kind} output batch size of {num_examples}. Got: {len(array)}")
