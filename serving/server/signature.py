"""A signature of a loaded model: what it takes, what it gives, and how it runs."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from serving.server.errors import invalid_argument


class Signature:
    """Checks inputs against a SignatureDef and runs its function.

    Args:
      definition: the signature as the SavedModel declares it.
      function: takes the inputs and returns the outputs, by name.
    """

    def __init__(self, definition: meta_graph_pb2.SignatureDef, function: Callable[..., Mapping[str, tf.Tensor]]):
        self.inputs = {name: _spec(name, info) for name, info in definition.inputs.items()}
        self.outputs = {name: _spec(name, info) for name, info in definition.outputs.items()}
        self._function = function

    def check_input_names(self, names: Collection[str]) -> None:
        """Raises INVALID_ARGUMENT, naming what is missing and what is too much, unless `names` are the inputs."""
        sent, required = set(names), set(self.inputs)
        if len(sent) != len(required):
            raise invalid_argument(
                f"input size does not match signature: {len(sent)}!={len(required)} len({_braces(sent)}) != "
                f"len({_braces(required)}). Sent extra: {_braces(sent - required)}. "
                f"Missing but required: {_braces(required - sent)}."
            )
        for name in sorted(sent - required):
            raise invalid_argument(
                f"input tensor alias not found in signature: {name}. "
                f"Inputs expected to be in the set {_braces(required)}."
            )

    def check_input(self, name: str, array: np.ndarray, dtype: tf.DType) -> None:
        """Raises INVALID_ARGUMENT unless the input has exactly the declared dtype and a shape that fits."""
        spec = self.inputs[name]
        if dtype != spec.dtype:
            raise invalid_argument(f"Expects input {name} to be {spec.dtype.name} but {dtype.name} is provided")
        if not spec.shape.is_compatible_with(array.shape):
            raise invalid_argument(f"Expects input {name} to have shape {spec.shape} but {array.shape} is provided")

    def select_outputs(self, output_filter: Sequence[str]) -> list[str]:
        """Returns the outputs to answer with: all of them for an empty filter.

        Raises:
          ServingError: INVALID_ARGUMENT for a name that is no output or that is asked for twice.
        """
        selected: list[str] = []
        for name in output_filter:
            if name not in self.outputs:
                raise invalid_argument(
                    f"output tensor alias not found in signature: {name} "
                    f"Outputs expected to be in the set {_braces(self.outputs)}."
                )
            if name in selected:
                raise invalid_argument(f"duplicate output tensor alias: {name}")
            selected.append(name)
        return selected or list(self.outputs)

    def run(self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """Runs the model.

        Args:
          inputs: checked inputs by name.
          outputs: names of the outputs to return.

        Returns:
          The outputs by name.

        Raises:
          tf.errors.OpError: the graph refused the values.
        """
        tensors = {name: tf.convert_to_tensor(array, self.inputs[name].dtype) for name, array in inputs.items()}
        results = self._function(**tensors)
        return {name: _array(results[name]) for name in outputs}


def _array(tensor: tf.Tensor) -> np.ndarray:
    return np.asarray(tensor.numpy(), object if tensor.dtype == tf.string else None)


def _spec(name: str, info: meta_graph_pb2.TensorInfo) -> tf.TensorSpec:
    return tf.TensorSpec(tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype), name)


def _braces(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
