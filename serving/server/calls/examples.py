"""The examples of a Classify, Regress or MultiInference request."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import input_pb2

from serving.server.calls.signature import Signature
from serving.server.errors import invalid_argument


def serialized_examples(request_input: input_pb2.Input) -> np.ndarray:
    """Returns the examples of a request in their wire format, each merged with the context if there is one.

    Protocol buffers merge by concatenation: a feature of the example replaces the context's feature of that name.

    Raises:
      ServingError: INVALID_ARGUMENT without an example.
    """
    context = b""
    examples: Sequence[tf.train.Example] = request_input.example_list.examples
    if request_input.WhichOneof("kind") == "example_list_with_context":
        context = request_input.example_list_with_context.context.SerializeToString()
        examples = request_input.example_list_with_context.examples
    if not examples:
        raise invalid_argument("Input is empty.")
    array = np.empty(len(examples), object)
    array[:] = [context + example.SerializeToString() for example in examples]
    return array


def run_on_examples(
    signature: Signature, examples: np.ndarray, outputs: Sequence[str], method: str
) -> Mapping[str, np.ndarray]:
    """Runs a signature whose one input takes serialized examples, for a `method` of the service."""
    (name,) = signature.inputs
    signature.check_input(name, examples, tf.string)
    return signature.run({name: examples}, outputs, method)
