"""The SavedModels that the suite serves."""

from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from gate import SPECS, hold

v1 = tf.compat.v1
ECHOED = {
    "float": tf.float32,
    "double": tf.float64,
    "int32": tf.int32,
    "int64": tf.int64,
    "bool": tf.bool,
    "string": tf.string,
    "uint8": tf.uint8,
}


def save_half_plus(folder: Path, addend: float) -> Path:
    """`y = x / 2 + addend` for Predict, Classify and Regress, in TensorFlow 1's form with its method names."""
    with tf.Graph().as_default(), v1.Session() as session:
        half, plus = v1.Variable(0.5, name="half"), v1.Variable(addend, name="plus")
        x = v1.placeholder(tf.float32, [None], "x")
        examples = v1.placeholder(tf.string, [None], "examples")
        others = v1.placeholder(tf.string, [None], "others")
        features = {"x": tf.io.FixedLenFeature([1], tf.float32), "bias": tf.io.FixedLenFeature([1], tf.float32, 0.0)}
        parsed = tf.io.parse_example(examples, features)
        y = half * parsed["x"] + plus + parsed["bias"]
        scores = tf.concat([y, -y], 1)
        classes = tf.tile([[b"up", b"down"]], [tf.shape(y)[0], 1])
        elsewhere = tf.io.parse_example(others, features)["x"]
        session.run(v1.global_variables_initializer())
        utils = v1.saved_model.signature_def_utils
        signatures = {
            "serving_default": utils.predict_signature_def({"x": x}, {"y": half * x + plus}),
            "twice": utils.predict_signature_def({"x": x}, {"y": x + 2 * plus, "x2": 2 * x}),
            "classify": utils.classification_signature_def(examples, classes, scores),
            "scores_only": utils.classification_signature_def(examples, None, scores),
            "regress": utils.regression_signature_def(examples, y),
            "regress_elsewhere": utils.regression_signature_def(others, elsewhere),
        }
        signatures["two_outputs"] = v1.saved_model.build_signature_def(
            signatures["regress"].inputs,
            {**signatures["regress"].outputs, "more": v1.saved_model.build_tensor_info(scores)},
            v1.saved_model.REGRESS_METHOD_NAME,
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [tf.saved_model.SERVING], signature_def_map=signatures)
        builder.save()
    return folder


def save_assorted(folder: Path) -> Path:
    """Signatures for what `half_plus` has no need of, in TensorFlow 2's form."""
    float_vector = tf.TensorSpec([None], tf.float32)
    strings = tf.TensorSpec([None], tf.string)

    signatures = {
        "serving_default": (lambda x: {"y": x / 2 + 2}, {"x": tf.TensorSpec([None, 2], tf.float32)}),
        "pair": (lambda a, b: {"sum": a + b, "difference": a - b}, {"a": float_vector, "b": float_vector}),
        "echo": (lambda **x: x, {name: tf.TensorSpec([None], dtype) for name, dtype in ECHOED.items()}),
        "integer": (lambda n: {"n": n * 2}, {"n": tf.TensorSpec([None], tf.int64)}),
        "text": (lambda s: {"s": tf.strings.join([s, s]), "s_bytes": s}, {"s": strings}),
        "scalar": (lambda s: {"s": s * 2}, {"s": tf.TensorSpec([], tf.float32)}),
        "divide": (
            lambda a, b: {"y": a // b},
            {"a": tf.TensorSpec([None], tf.int32), "b": tf.TensorSpec([None], tf.int32)},
        ),
        "hold": (hold, SPECS),
    }
    return _save(tf.Module(), signatures, folder)


def save_counter(folder: Path) -> Path:
    """Every call adds one to a counter and tells what it was before."""
    module = tf.Module()
    module.calls = tf.Variable(0, dtype=tf.int64)

    def count(x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies([tf.debugging.assert_greater_equal(x, 0.0, "negative")]):
            before = module.calls.read_value()
            with tf.control_dependencies([before]):
                after = module.calls.assign_add(1)
            with tf.control_dependencies([after]):
                return {"calls": tf.fill(tf.shape(x), before)}

    return _save(module, {"serving_default": (count, {"x": tf.TensorSpec([None], tf.float32)})}, folder)


def save_rows(folder: Path) -> Path:
    """Tells every row how many rows were computed together with it."""

    def rows(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x / 2 + 2, "rows": tf.fill(tf.shape(x), tf.size(x))}

    def lengths(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.reduce_sum(x, 1), "length": tf.fill([tf.shape(x)[0]], tf.shape(x)[1])}

    def regress(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([], tf.float32)})
        return {"outputs": parsed["x"] / 2 + 2}

    pair = {"a": tf.TensorSpec([None], tf.float32), "b": tf.TensorSpec([None], tf.float32)}
    signatures = {
        "regress": (regress, {"inputs": tf.TensorSpec([None], tf.string)}),
        "serving_default": (rows, {"x": tf.TensorSpec([None], tf.float32)}),
        "any_shape": (lambda x: {"y": x * 2}, {"x": tf.TensorSpec(None, tf.float32)}),
        "lengths": (lengths, {"x": tf.TensorSpec([None, None], tf.float32)}),
        "pair": (lambda a, b: {"a": a, "b": b}, pair),
    }
    return _save(tf.Module(), signatures, folder)


def _save(module: tf.Module, functions: dict[str, tuple[Callable, dict[str, tf.TensorSpec]]], folder: Path) -> Path:
    concrete = {
        name: tf.function(function, autograph=False).get_concrete_function(
            **{key: tf.TensorSpec(spec.shape, spec.dtype, key) for key, spec in specs.items()}
        )
        for name, (function, specs) in functions.items()
    }
    tf.saved_model.save(module, str(folder), signatures=concrete)
    return folder
