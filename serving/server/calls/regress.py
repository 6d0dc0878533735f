"""Answers a RegressionRequest."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import regression_pb2

from serving.server.calls.examples import run_on_examples, serialized_examples
from serving.server.calls.servable import Servable, answered_by
from serving.server.calls.signature import Signature
from serving.server.errors import invalid_argument

METHOD_NAME = tf.saved_model.REGRESS_METHOD_NAME
_INPUTS, _OUTPUTS = tf.saved_model.REGRESS_INPUTS, tf.saved_model.REGRESS_OUTPUTS


def regress(servable: Servable, request: regression_pb2.RegressionRequest) -> regression_pb2.RegressionResponse:
    """Runs a signature that gives one number for every example.

    Raises:
      ServingError: INVALID_ARGUMENT where the signature or the examples do not fit.
      tf.errors.OpError: the graph refused the values.
    """
    signature = servable.signature_of_method(request.model_spec.signature_name, METHOD_NAME)
    output = regression_output(signature)
    examples = serialized_examples(request.input)
    results = run_on_examples(signature, examples, [output], "Regress")
    return regression_pb2.RegressionResponse(
        model_spec=answered_by(servable, request.model_spec),
        result=regression_result(results[output], len(examples)),
    )


def regression_output(signature: Signature) -> str:
    """Returns the output of a regression signature.

    Raises:
      ServingError: INVALID_ARGUMENT if it is none.
    """
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if _INPUTS not in signature.inputs:
        raise invalid_argument(f"No regression inputs found in SignatureDef: {signature.definition}")
    if _OUTPUTS not in signature.outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {signature.definition}")
    return _OUTPUTS


def regression_result(values: np.ndarray, num_examples: int) -> regression_pb2.RegressionResult:
    """Returns the value of every example from the output tensor.

    Raises:
      ServingError: INVALID_ARGUMENT unless it is float `[num_examples]` or `[num_examples, 1]`.
    """
    if values.ndim != 1 and not (values.ndim == 2 and values.shape[1] == 1):
        raise invalid_argument(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {list(values.shape)}"
        )
    if len(values) != num_examples:
        raise invalid_argument(f"Input batch size did not match output batch size: {num_examples} vs. {len(values)}")
    if values.dtype != np.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {values.dtype}")
    regressions = [regression_pb2.Regression(value=value) for value in values.reshape(-1)]
    return regression_pb2.RegressionResult(regressions=regressions)
