"""TensorProto from and to NumPy, as TF Serving reads and writes it."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2

_FIELDS = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int8: "int_val",
    tf.int16: "int_val",
    tf.int32: "int_val",
    tf.uint8: "int_val",
    tf.uint16: "int_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.int64: "int64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
    tf.float16: "half_val",
    tf.bfloat16: "half_val",
    tf.complex64: "scomplex_val",
    tf.complex128: "dcomplex_val",
}
# What the field holds, where that is not the dtype itself: bit patterns, or real and imaginary parts in turn.
_STORED_AS: dict[tf.DType, np.dtype] = {
    tf.float16: np.dtype(np.uint16),
    tf.bfloat16: np.dtype(np.uint16),
    tf.complex64: np.dtype(np.float32),
    tf.complex128: np.dtype(np.float64),
}
_LENGTH_DELIMITED = 2  # protobuf wire type of a packed repeated field


def to_proto(array: np.ndarray, dtype: tf.DType) -> tensor_pb2.TensorProto:
    """Writes an array into the typed field of its dtype (`float_val`, `string_val`, ...).

    Args:
      array: of any shape; strings are `bytes` in an object array.
      dtype: TensorFlow's name of its dtype.

    Returns:
      The message, with every value spelled out and no `tensor_content`.
    """
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in array.shape]
    proto = tensor_pb2.TensorProto(
        dtype=dtype.as_datatype_enum, tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=dims)
    )
    values = np.ascontiguousarray(array).reshape(-1)
    if dtype in _STORED_AS:
        values = values.view(_STORED_AS[dtype])
    field = _FIELDS[dtype]
    if values.size and values.dtype in (np.float32, np.float64):
        # A packed field of floats is their little-endian bytes: twenty times faster than value by value.
        number = tensor_pb2.TensorProto.DESCRIPTOR.fields_by_name[field].number
        packed = values.tobytes()
        proto.MergeFromString(b"%c%b%b" % (number << 3 | _LENGTH_DELIMITED, _varint(len(packed)), packed))
    else:
        getattr(proto, field).extend(values.tolist())
    return proto


def to_array(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Reads a TensorProto in any of its encodings, by the rules of TensorFlow's C++ `Tensor::FromProto`.

    `tensor_content` must fit the shape exactly. Typed fields may be shorter (their last value repeats,
    no value means zeros) or longer (the rest is ignored).

    Args:
      proto: the message.

    Returns:
      The array, strings as `bytes` in an object array; it shares the memory of `tensor_content`.

    Raises:
      ValueError: the dtype or shape is invalid, or the content does not fit the shape.
    """
    try:
        dtype = tf.as_dtype(proto.dtype)
        field = _FIELDS[dtype]
    except (TypeError, KeyError):
        raise ValueError(f"a tensor of data type {proto.dtype} cannot be read") from None
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise ValueError("a tensor's shape must be fully known")
    size = math.prod(shape)
    numpy_dtype = np.dtype(dtype.as_numpy_dtype)
    if not size:
        return np.empty(shape, numpy_dtype)
    if proto.tensor_content:
        if dtype == tf.string:
            return _string_content(proto)
        if len(proto.tensor_content) != size * numpy_dtype.itemsize:
            raise ValueError(f"{len(proto.tensor_content)} bytes of content do not fit the shape {shape}")
        return np.frombuffer(proto.tensor_content, numpy_dtype).reshape(shape)
    values = _typed_values(getattr(proto, field), dtype, numpy_dtype)
    if not values.size:
        return np.full(shape, b"" if dtype == tf.string else 0, numpy_dtype)
    if values.size < size:
        values = np.concatenate([values, np.full(size - values.size, values[-1], numpy_dtype)])
    return values[:size].reshape(shape)


def _typed_values(field: Any, dtype: tf.DType, numpy_dtype: np.dtype) -> np.ndarray:
    if dtype == tf.string:
        values = np.empty(len(field), object)
        values[:] = list(field)
        return values
    if dtype in _STORED_AS:
        stored = np.fromiter(field, _STORED_AS[dtype])
        whole = stored.nbytes // numpy_dtype.itemsize * numpy_dtype.itemsize // stored.itemsize
        return stored[:whole].view(numpy_dtype)
    if _FIELDS[dtype] == "int_val":
        return np.fromiter(field, np.int32, len(field)).astype(numpy_dtype, copy=False)
    return np.fromiter(field, numpy_dtype, len(field))


def _string_content(proto: tensor_pb2.TensorProto) -> np.ndarray:
    try:
        return tf.io.parse_tensor(proto.SerializeToString(), tf.string).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError("the string content does not fit the shape") from error


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])
