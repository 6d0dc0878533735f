import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.tensor_proto import to_array, to_proto

TensorProto = type(tf.make_tensor_proto(0))
NUMBERS = [tf.float16, tf.bfloat16, tf.float32, tf.float64, tf.int8, tf.int16, tf.int32, tf.int64]
NUMBERS += [tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.bool, tf.complex64, tf.complex128]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(NUMBERS), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), st.randoms())
def test_numbers_agree_with_tensorflow_in_both_directions(dtype, shape, random):
    bits = np.array([random.getrandbits(6) for _ in range(int(np.prod(shape)))]).reshape(shape)
    array = (bits - (0 if dtype.is_unsigned or dtype == tf.bool else 20)).astype(dtype.as_numpy_dtype)
    proto = to_proto(array, dtype)
    assert proto.tensor_content == b""
    native = tf.io.parse_tensor(proto.SerializeToString(), dtype).numpy()
    np.testing.assert_array_equal(native, array)
    np.testing.assert_array_equal(to_array(proto), array)
    np.testing.assert_array_equal(to_array(tf.make_tensor_proto(array)), array)
    assert to_array(proto).dtype == array.dtype


@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_strings_in_typed_field_and_in_content(values):
    array = np.empty(len(values), object)
    array[:] = values
    assert list(to_proto(array, tf.string).string_val) == values
    assert to_array(to_proto(array, tf.string)).tolist() == values
    content = TensorProto.FromString(tf.io.serialize_tensor(tf.constant(values, tf.string)).numpy())
    assert to_array(content).tolist() == values


def test_the_last_value_repeats_none_is_zero_and_surplus_is_ignored():
    proto = tf.make_tensor_proto(np.int64([0, 0, 0]))
    proto.ClearField("tensor_content")
    expected = {(): [0, 0, 0], (4,): [4, 4, 4], (4, 5): [4, 5, 5], (1, 2, 3, 4): [1, 2, 3]}
    for values, array in expected.items():
        proto.int64_val[:] = values
        assert to_array(proto).tolist() == array
        assert tf.io.parse_tensor(proto.SerializeToString(), tf.int64).numpy().tolist() == array


def test_what_cannot_be_read():
    proto = tf.make_tensor_proto(np.float32([1, 2, 3]))
    proto.tensor_shape.dim[0].size = 2
    with pytest.raises(ValueError, match=r"12 bytes of content do not fit the shape \[2\]"):
        to_array(proto)
    proto.tensor_shape.dim[0].size = -1
    with pytest.raises(ValueError, match="a tensor's shape must be fully known"):
        to_array(proto)
    with pytest.raises(ValueError, match="a tensor of data type 0 cannot be read"):
        to_array(TensorProto())
    strings = TensorProto(dtype=tf.string.as_datatype_enum, tensor_content=b"\x05ab")
    strings.tensor_shape.dim.add(size=1)
    with pytest.raises(ValueError, match="the string content does not fit the shape"):
        to_array(strings)
