"""Classify's and Regress's examples and results as JSON."""

from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from serving.server.errors import ServingError, invalid_argument
from serving.server.rest.json_tensor import check_decimal, decode_base64, is_base64
from serving.server.rest.json_text import (
    format_error,
    type_name,
    write_array,
    write_decimal,
    write_object,
    write_string,
)

_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def read_examples(document: dict[str, Any]) -> input_pb2.Input:
    """Reads `examples` and, if it is there, `context`.

    Raises:
      ServingError: INVALID_ARGUMENT where they are no examples.
    """
    context = _example(document["context"]) if "context" in document else None
    if "examples" not in document:
        raise format_error(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document["examples"]
    if not isinstance(examples, list):
        raise format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise format_error(document, "'examples' value is an empty array")
    read = [_example(example) for example in examples]
    if context is None:
        return input_pb2.Input(example_list=input_pb2.ExampleList(examples=read))
    return input_pb2.Input(example_list_with_context=input_pb2.ExampleListWithContext(examples=read, context=context))


def write_classifications(result: classification_pb2.ClassificationResult) -> str:
    """Returns `[label, score]` of every class, by example."""
    rows = [
        write_array([write_array([write_string(one.label), _number(one.score)]) for one in row.classes])
        for row in result.classifications
    ]
    return write_object({"results": write_array(rows)})


def write_regressions(result: regression_pb2.RegressionResult) -> str:
    """Returns the number of every example."""
    return write_object({"results": write_array([_number(row.value) for row in result.regressions])})


def _number(value: float) -> str:
    return write_decimal(np.float32(value))


def _example(value: Any) -> tf.train.Example:
    if not isinstance(value, dict):
        raise invalid_argument(f"Example must be JSON object but got JSON {type_name(value)}")
    example = tf.train.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for element in content if isinstance(content, list) else [content]:
            _add(feature, name, element)
    return example


def _add(feature: tf.train.Feature, name: str, value: Any) -> None:
    if isinstance(value, str):
        _list(feature, name, "bytes_list").append(value.encode())
    elif is_base64(value):
        _list(feature, name, "bytes_list").append(decode_base64(value))
    elif isinstance(value, bool):
        _list(feature, name, "int64_list").append(int(value))
    elif isinstance(value, int) and -(2**63) <= value < 2**64:
        if value >= 2**63:
            raise invalid_argument(f"Feature: {name} has uint64 element. Only int64 is supported.")
        _list(feature, name, "int64_list").append(value)
    elif isinstance(value, int | float):
        decimal = check_decimal(value, np.finfo(np.float32), "float")
        _list(feature, name, "float_list").append(decimal)
    else:
        raise invalid_argument(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")


def _list(feature: tf.train.Feature, name: str, kind: str) -> Any:
    before = feature.WhichOneof("kind")
    if before not in (None, kind):
        raise _kind_error(name, before)
    return getattr(feature, kind).value


def _kind_error(name: str, kind: str) -> ServingError:
    return invalid_argument(f"Unexpected element type in feature: {name} expecting type: {_KINDS[kind]}")
