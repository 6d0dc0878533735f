"""Requests that a server makes of a model before it answers others: the first call of a signature is slow."""

import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving import signatures

WARM_UP_FILE = ("assets.extra", "tf_serving_warmup_requests")
"""Where TF Serving and the embedded server look, inside the SavedModel: a TFRecord file of PredictionLogs."""


def write_warm_up_requests(path: str, functions: Mapping[str, Any]) -> None:
    """Writes the smallest request for each signature of a SavedModel: a user without history, who asks for one item.

    Args:
      path: folder of the SavedModel, named as the model.
      functions: traced functions by signature name.
    """
    folder, name = os.path.split(os.path.join(path, *WARM_UP_FILE))
    tf.io.gfile.makedirs(folder)
    with tf.io.TFRecordWriter(os.path.join(folder, name)) as writer:
        for signature, function in sorted(functions.items()):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = os.path.basename(path)
            request.model_spec.signature_name = signature
            for spec in tf.nest.flatten(function.structured_input_signature):
                request.inputs[spec.name].CopyFrom(_smallest(spec))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString(deterministic=True))


def _smallest(spec: tf.TensorSpec) -> tensor_pb2.TensorProto:
    """Returns one row of one value: nothing, but for the number of items and an example with an unknown candidate."""
    if spec.name == signatures.EXAMPLES:
        value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b""]))
        features = tf.train.Features(feature={signatures.CANDIDATE_ITEM_ID: value})
        row: Any = tf.train.Example(features=features).SerializeToString()
    elif spec.name == signatures.K:
        row = 1
    else:
        row = "" if spec.dtype == tf.string else 0
    return tf.make_tensor_proto(row, spec.dtype, [1] * len(spec.shape))
