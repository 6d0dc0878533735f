"""Custom gradients of a SavedModel, which nobody needs who serves it."""

import os

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

_GRADIENT = "_gradient_op_type"
_FINGERPRINT = "fingerprint.pb"


def remove_custom_gradients(path: str) -> None:
    """Rewrites the graph of a SavedModel without the gradients of `tf.custom_gradient`.

    TensorFlow registers them for the whole life of a process that loads the model, and with them everything that the
    model holds: a server would keep every release that it ever had in memory. `fingerprint.pb`, which may be missing,
    goes too: it has a checksum of the graph.

    Args:
      path: folder of the SavedModel.
    """
    file = os.path.join(path, tf.saved_model.SAVED_MODEL_FILENAME_PB)
    with tf.io.gfile.GFile(file, "rb") as stream:
        saved_model = saved_model_pb2.SavedModel.FromString(stream.read())
    for meta_graph in saved_model.meta_graphs:
        graph = meta_graph.graph_def
        del graph.library.registered_gradients[:]
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                node.attr.pop(_GRADIENT, None)
    with tf.io.gfile.GFile(file, "wb") as stream:
        stream.write(saved_model.SerializeToString(deterministic=True))
    fingerprint = os.path.join(path, _FINGERPRINT)
    if tf.io.gfile.exists(fingerprint):
        tf.io.gfile.remove(fingerprint)
