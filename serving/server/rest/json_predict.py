"""Predict's inputs and outputs as JSON, row by row (`instances`) or input by input (`inputs`)."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from serving.server.errors import ServingError, invalid_argument
from serving.server.rest.json_tensor import TensorReader, is_base64, write_rows, write_tensor
from serving.server.rest.json_text import (
    format_error,
    shown,
    write_array,
    write_object,
)

Form = Literal["row", "column"]


def read_inputs(document: dict[str, Any], specs: Mapping[str, tf.TensorSpec]) -> tuple[dict[str, np.ndarray], Form]:
    """Reads the inputs of a request.

    Args:
      document: the request.
      specs: what the signature takes.

    Returns:
      The inputs by name, and the form that they came in.

    Raises:
      ServingError: INVALID_ARGUMENT where they do not fit.
    """
    if "instances" in document and "inputs" in document:
        problem = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        raise format_error(document, problem)
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise format_error(document, "Excepting 'instances' to be an list/array")
        if not instances:
            raise format_error(document, "No values in 'instances' array")
        return _read_rows(instances, specs), "row"
    if "inputs" in document:
        return _read_columns(document["inputs"], specs), "column"
    raise invalid_argument("Missing 'inputs' or 'instances' key")


def write_outputs(outputs: Mapping[str, np.ndarray], form: Form) -> str:
    """Returns the outputs as JSON, in the form that the inputs came in.

    A single output stands for itself, several have their names.

    Raises:
      ServingError: INVALID_ARGUMENT for rows of outputs that have no common number of them.
    """
    if form == "column":
        written = {name: write_tensor(name, outputs[name]) for name in sorted(outputs)}
        return write_object({"outputs": write_object(written) if len(written) > 1 else next(iter(written.values()))})
    size = 0
    for name in sorted(outputs):
        array = outputs[name]
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if not len(array):
            raise invalid_argument(f"Tensor name: {name} has invalid batch size: 0")
        if size and len(array) != size:
            raise invalid_argument(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)
    columns = {name: write_rows(name, outputs[name]) for name in sorted(outputs)}
    if len(columns) == 1:
        return write_object({"predictions": write_array(next(iter(columns.values())))})
    rows = [write_object(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    return write_object({"predictions": write_array(rows)})


def _read_rows(instances: list[Any], specs: Mapping[str, tf.TensorSpec]) -> dict[str, np.ndarray]:
    if not isinstance(instances[0], dict) and len(specs) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    are_named = _is_named(instances[0])
    readers = {name: TensorReader(spec.dtype) for name, spec in specs.items()}
    shapes: dict[str, tuple[int, ...]] = {}
    for index, instance in enumerate(instances):
        if are_named != _is_named(instance):
            expected = "object but got list" if are_named else "value/list but got object"
            raise invalid_argument(f"Expecting {expected} at item {index} of input list")
        with_name = instance if are_named else {next(iter(specs)): instance}
        for name, value in with_name.items():
            try:
                _add_row(name, value, readers, shapes)
            except ServingError as error:
                key = f" key: {name}" if are_named else ""
                message = f"Failed to process element: {index}{key} of 'instances' list. Error: {error}"
                raise invalid_argument(message) from None
        if with_name.keys() != specs.keys():
            raise invalid_argument(
                f"Failed to process element: {index} of 'instances' list. JSON object: {shown(instance)} "
                f"must only have keys: {','.join(sorted(specs))}"
            )
    return {name: reader.array((len(instances), *shapes[name])) for name, reader in readers.items()}


def _add_row(name: str, value: Any, readers: Mapping[str, TensorReader], shapes: dict[str, tuple[int, ...]]) -> None:
    if name not in readers:
        raise invalid_argument(f"JSON object: does not have named input: {name}")
    shape = readers[name].add(value)
    before = shapes.setdefault(name, shape)
    if np.prod(shape) != np.prod(before):
        raise invalid_argument(f"Expecting tensor size: {int(np.prod(before))} but got: {int(np.prod(shape))}")
    if shape != before:
        raise invalid_argument(f"Expecting shape {_brackets(before)} but got: {_brackets(shape)}")


def _read_columns(inputs: Any, specs: Mapping[str, tf.TensorSpec]) -> dict[str, np.ndarray]:
    if not _is_named(inputs):
        if len(specs) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        inputs = {next(iter(specs)): inputs}
    arrays = {}
    for name, spec in specs.items():
        if name not in inputs:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        reader = TensorReader(spec.dtype)
        arrays[name] = reader.array(reader.add(inputs[name]))
    return arrays


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _brackets(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
