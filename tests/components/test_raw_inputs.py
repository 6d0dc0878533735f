import numpy as np
import tensorflow as tf

from components.example_gen.serialization import serialize_record
from components.serving_validator.raw_inputs import raw_inputs

SPECS = {
    "user_id": tf.TensorSpec([None], tf.string),
    "age": tf.TensorSpec([None], tf.int64),
    "activity": tf.TensorSpec([None], tf.float32),
    "history_item_id": tf.TensorSpec([None, None], tf.string),
    "history_grade": tf.TensorSpec([None, None], tf.int64),
}
MISSING = {"user_id": b"", "age": -1, "activity": 0.0}


def _found(record):
    inputs = raw_inputs(serialize_record(record), SPECS, MISSING)
    return {name: (values.tolist(), values.dtype) for name, values in inputs.items()}


def test_scalars_and_lists():
    record = {
        "user_id": ["u1"],
        "age": [30],
        "activity": [0.5],
        "history_item_id": ["a", "b"],
        "history_grade": [3, 0],
        "candidate_item_id": ["c"],
    }
    assert _found(record) == {
        "user_id": ([b"u1"], np.dtype(object)),
        "age": ([30], np.dtype(np.int64)),
        "activity": ([0.5], np.dtype(np.float32)),
        "history_item_id": ([[b"a", b"b"]], np.dtype(object)),
        "history_grade": ([[3, 0]], np.dtype(np.int64)),
    }


def test_what_an_example_leaves_out():
    assert _found({"user_id": ["u1"]}) == {
        "user_id": ([b"u1"], np.dtype(object)),
        "age": ([-1], np.dtype(np.int64)),
        "activity": ([0.0], np.dtype(np.float32)),
        "history_item_id": ([[]], np.dtype(object)),
        "history_grade": ([[]], np.dtype(np.int64)),
    }
