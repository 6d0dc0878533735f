"""A logged request as the inputs of a raw-tensor signature."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

_VALUES = {tf.string: "bytes_list", tf.int32: "int64_list", tf.int64: "int64_list", tf.float32: "float_list"}


def raw_inputs(
    example: bytes, specs: Mapping[str, tf.TensorSpec], missing: Mapping[str, bytes | int | float]
) -> dict[str, np.ndarray]:
    """Returns the inputs of a batch of one request.

    Args:
      example: the serialised request example.
      specs: the inputs wanted, by feature name: `[None]` for a scalar, `[None, None]` for a list.
      missing: what stands for a missing scalar.
    """
    features = tf.train.Example.FromString(example).features.feature
    inputs = {}
    for name, spec in specs.items():
        values = list(getattr(features[name], _VALUES[spec.dtype]).value)
        if spec.shape.rank == 1:
            inputs[name] = np.array(values[:1] or [missing[name]], spec.dtype.as_numpy_dtype)
        else:
            inputs[name] = np.array(values, spec.dtype.as_numpy_dtype)[np.newaxis]
    return inputs
