"""A signature of a loaded model: what it takes, what it gives, and how it runs."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from serving.server.errors import invalid_argument, op_message

Runner: TypeAlias = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]
"""Takes all inputs of a signature by name and returns all its outputs."""


class Signature:
    """Checks inputs against a SignatureDef and runs it.

    Args:
      definition: the signature as the SavedModel declares it.
      run: runs it.
      observe: told the method that ran it and the seconds that it took.
    """

    def __init__(self, definition: meta_graph_pb2.SignatureDef, run: Runner, observe: Callable[[str, float], None]):
        self.definition = definition
        self.inputs = {name: _spec(name, info) for name, info in definition.inputs.items()}
        self.outputs = {name: _spec(name, info) for name, info in definition.outputs.items()}
        self._run = run
        self._observe = observe

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
            position = sorted(self.inputs).index(name)
            raise invalid_argument(
                f"Expects arg[{position}] to be {dtype_name(spec.dtype)} but {dtype_name(dtype)} is provided"
            )
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

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str], method: str = "Predict"
    ) -> dict[str, np.ndarray]:
        """Runs the model.

        Args:
          inputs: checked inputs by name.
          outputs: names of the outputs to return.
          method: that the client called.

        Returns:
          The outputs by name.

        Raises:
          tf.errors.OpError: the graph refused the values.
        """
        start_s = time.perf_counter()
        results = self._run(inputs)
        self._observe(method, time.perf_counter() - start_s)
        return {name: results[name] for name in outputs}


def function_runner(
    definition: meta_graph_pb2.SignatureDef, function: Callable[..., Mapping[str, tf.Tensor]]
) -> Runner:
    """Returns the runner of a loaded signature function."""
    dtypes = {name: tf.as_dtype(info.dtype) for name, info in definition.inputs.items()}

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        tensors = {name: tf.convert_to_tensor(array, dtypes[name]) for name, array in inputs.items()}
        try:
            results = function(**tensors)
        except (UnicodeDecodeError, TypeError) as error:
            # An operation refused bytes that are no text and put them into its message, which Python cannot read.
            unread = error if isinstance(error, UnicodeDecodeError) else error.__context__
            if not isinstance(unread, UnicodeDecodeError):
                raise
            raise invalid_argument(op_message(unread.object.decode("utf-8", "replace"))) from None
        return {name: _array(tensor) for name, tensor in results.items()}

    return run


def dtype_name(dtype: tf.DType) -> str:
    """Returns TF Serving's name of a dtype: `float` where Python says float32."""
    return {tf.float16: "half", tf.float32: "float", tf.float64: "double"}.get(dtype, dtype.name)


def _array(tensor: tf.Tensor) -> np.ndarray:
    return np.asarray(tensor.numpy(), object if tensor.dtype == tf.string else None)


def _spec(name: str, info: meta_graph_pb2.TensorInfo) -> tf.TensorSpec:
    return tf.TensorSpec(tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype), name)


def _braces(names: Collection[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
