"""Tensors from and to JSON values."""

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from serving.server.calls.signature import dtype_name
from serving.server.errors import ServingError, invalid_argument, unimplemented
from serving.server.rest.json_text import (
    format_error,
    shown,
    type_name,
    write_array,
    write_decimal,
    write_object,
    write_string,
)

_BASE64_KEY = "b64"
_MAX_RANK = 31  # NumPy's 32 dimensions, one of them the batch
_BYTES_SUFFIX = "_bytes"  # of the names of outputs that are no text

# The numbers that each dtype takes; the narrow ones are read as int32, as in a TensorProto.
_INTEGERS = {
    tf.int8: (-(2**31), 2**31),
    tf.int16: (-(2**31), 2**31),
    tf.int32: (-(2**31), 2**31),
    tf.uint8: (-(2**31), 2**31),
    tf.int64: (-(2**63), 2**63),
    tf.uint32: (0, 2**32),
    tf.uint64: (0, 2**64),
}
_DECIMALS: dict[tf.DType, np.finfo] = {tf.float32: np.finfo(np.float32), tf.float64: np.finfo(np.float64)}


class TensorReader:
    """Collects the values of one tensor from JSON.

    Args:
      dtype: of the tensor.
    """

    def __init__(self, dtype: tf.DType):
        self.dtype = dtype
        self._convert = _converter(dtype)
        self._values: list[Any] = []

    def add(self, value: Any) -> tuple[int, ...]:
        """Adds a number, a string or nested lists of them; returns the shape.

        Raises:
          ServingError: INVALID_ARGUMENT for lists of unequal size or values of another type.
        """
        shape = _shape(value)
        if len(shape) > _MAX_RANK:
            raise invalid_argument(f"Encountered list at unexpected level: {_MAX_RANK} expected < {_MAX_RANK}")
        self._add(value, 0, shape)
        return shape

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """Returns all values that were added, in a shape that they fill."""
        if self.dtype == tf.string:
            array = np.empty(len(self._values), object)
            array[:] = self._values
            return array.reshape(shape)
        wide = np.int32 if _INTEGERS.get(self.dtype) == _INTEGERS[tf.int32] else self.dtype.as_numpy_dtype
        return np.array(self._values, wide).astype(self.dtype.as_numpy_dtype).reshape(shape)

    def _add(self, value: Any, level: int, shape: tuple[int, ...]) -> None:
        if not isinstance(value, list):
            if level != len(shape):
                raise invalid_argument(
                    f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                    f"Expected at level: {len(shape)}"
                )
            self._values.append(self._convert(value))
            return
        if level >= len(shape):
            raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
        if len(value) != shape[level]:
            raise invalid_argument(
                f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
            )
        for element in value:
            self._add(element, level + 1, shape)


def is_base64(value: Any) -> bool:
    """Returns whether a value is `{"b64": "..."}`."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get(_BASE64_KEY), str)


def decode_base64(value: Any) -> bytes:
    """Returns the bytes of `{"b64": "..."}`.

    Raises:
      ServingError: INVALID_ARGUMENT if it is none.
    """
    if not is_base64(value):
        raise format_error(value, "not formatted correctly for base64 data")
    text = re.sub(r"\s", "", value[_BASE64_KEY]).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None


def check_decimal(value: int | float, finfo: np.finfo, target: str) -> float:
    """Returns a number as a decimal.

    Raises:
      ServingError: INVALID_ARGUMENT for one that the decimal type cannot hold.
    """
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        fits = abs(value) < 2 ** (finfo.nmant + 1)
    else:
        try:
            fits = not math.isfinite(value) or abs(value) <= finfo.max
        except OverflowError:
            fits = False
    if not fits:
        raise invalid_argument(f"Cannot convert JSON value: {shown(value)} to {target} without loss of precision.")
    return float(value)


def write_tensor(name: str, array: np.ndarray) -> str:
    """Returns an output as JSON: nested lists, or one value for a scalar.

    Raises:
      ServingError: INVALID_ARGUMENT for a dtype that JSON has no form for.
    """
    write = _writer(name, array.dtype)
    return _write(array, write) if array.ndim else write(array[()])


def write_rows(name: str, array: np.ndarray) -> list[str]:
    """Returns every row of an output as JSON.

    Raises:
      ServingError: INVALID_ARGUMENT for a dtype that JSON has no form for.
    """
    return _rows(array, _writer(name, array.dtype))


def _write(array: np.ndarray, write: Callable[[Any], str]) -> str:
    return write_array(_rows(array, write))


def _rows(array: np.ndarray, write: Callable[[Any], str]) -> list[str]:
    if array.ndim == 1:
        return [write(value) for value in array]
    return [_write(row, write) for row in array]


def _writer(name: str, dtype: np.dtype) -> Callable[[Any], str]:
    if dtype.hasobject:
        if name.endswith(_BYTES_SUFFIX):
            return lambda value: write_object({_BASE64_KEY: write_string(base64.b64encode(value))})
        return write_string
    if dtype in (np.float32, np.float64):
        return write_decimal
    if dtype == np.bool_:
        return lambda value: "true" if value else "false"
    if tf.as_dtype(dtype) in _INTEGERS:
        return str
    raise invalid_argument(f"Failed to write JSON value for tensor type: {dtype_name(tf.as_dtype(dtype))}")


def _shape(value: Any) -> tuple[int, ...]:
    sizes = []
    while isinstance(value, list):
        sizes.append(len(value))
        value = value[0] if value else None
    return tuple(sizes)


def _converter(dtype: tf.DType) -> Callable[[Any], Any]:
    name = dtype_name(dtype)

    def error(value: Any) -> ServingError:
        return invalid_argument(f"JSON Value: {shown(value)} Type: {type_name(value)} is not of expected type: {name}")

    def decimal(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise error(value)
        return check_decimal(value, _DECIMALS[dtype], name)

    def integer(value: Any) -> int:
        low, high = _INTEGERS[dtype]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value < high:
            raise error(value)
        return value

    def boolean(value: Any) -> bool:
        if not isinstance(value, bool):
            raise error(value)
        return value

    def string(value: Any) -> bytes:
        if isinstance(value, dict):
            return decode_base64(value)
        if not isinstance(value, str):
            raise error(value)
        return value.encode()

    def nothing(value: Any) -> Any:
        raise unimplemented(f"Conversion of JSON Value: {shown(value)} to type: {name}")

    if dtype in _DECIMALS:
        return decimal
    if dtype in _INTEGERS:
        return integer
    return {tf.bool: boolean, tf.string: string}.get(dtype, nothing)
