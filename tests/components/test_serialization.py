import pytest
import tensorflow as tf

from components.example_gen.serialization import serialize_record


def test_types_and_empty_lists():
    record = {"id": ["ü1"], "times": [1, 2], "label": [0.5], "none": []}
    features = tf.train.Example.FromString(serialize_record(record)).features.feature
    assert set(features) == {"id", "times", "label"}
    assert list(features["id"].bytes_list.value) == ["ü1".encode()]
    assert list(features["times"].int64_list.value) == [1, 2]
    assert list(features["label"].float_list.value) == [0.5]


def test_same_record_same_bytes():
    assert serialize_record({"a": [1], "b": [2]}) == serialize_record({"b": [2], "a": [1]})


@pytest.mark.parametrize("values", [["a", 1], [1, "a"], [None], [b"a"]])
def test_other_types_are_refused(values):
    with pytest.raises(TypeError, match=r"The values of `user_id` must be all `str`, all `int` or all `float`"):
        serialize_record({"user_id": values})
