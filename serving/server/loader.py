"""Loads a SavedModel from disk."""

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.server.errors import ServingError, from_exception, not_found
from serving.server.servable import Servable
from serving.server.signature import Signature


def load_servable(name: str, version: int, path: str) -> Servable:
    """Loads a SavedModel for serving.

    Args:
      name: of the model.
      version: number of the folder.
      path: the version folder, local or any that `tf.io.gfile` reads.

    Returns:
      The servable, ready for calls.

    Raises:
      ServingError: NOT_FOUND without a saved_model.pb, DATA_LOSS if it is damaged, otherwise what TensorFlow says.
    """
    try:
        definitions = dict(_serving_graph(path).signature_def)
        loaded = tf.saved_model.load(path, tags=[tf.saved_model.SERVING])
    except Exception as error:
        raise from_exception(error) from error
    signatures = {key: Signature(definitions[key], function) for key, function in loaded.signatures.items()}
    return Servable(name, version, definitions, signatures, loaded)


def _serving_graph(path: str) -> meta_graph_pb2.MetaGraphDef:
    file = tf.io.gfile.join(path, tf.saved_model.SAVED_MODEL_FILENAME_PB)
    if not tf.io.gfile.exists(file):
        raise not_found(f"Could not find SavedModel .pb at supplied export directory path: {path}")
    saved_model = saved_model_pb2.SavedModel()
    try:
        with tf.io.gfile.GFile(file, "rb") as stream:
            saved_model.ParseFromString(stream.read())
    except DecodeError:
        raise ServingError(grpc.StatusCode.DATA_LOSS, f"Can't parse {file} as binary proto") from None
    for meta_graph in saved_model.meta_graphs:
        if set(meta_graph.meta_info_def.tags) == {tf.saved_model.SERVING}:
            return meta_graph
    raise not_found(f"Could not find meta graph def matching supplied tags: {{ serve }} in {path}")
