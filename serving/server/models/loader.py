"""Loads a SavedModel from disk."""

import importlib
from collections.abc import Callable

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from serving.server.batching.batcher import Batcher
from serving.server.calls.servable import Servable
from serving.server.calls.signature import Signature, function_runner
from serving.server.errors import ServingError, failed_precondition, from_exception, not_found
from serving.server.metrics import LOAD_ATTEMPT_COUNT, RUNTIME_LATENCY, Metrics
from serving.server.models.warmup import warm_up
from serving.server.options import LoadOptions

_SCANN = "Scann>"


class Loader:
    """Loads versions with the same options.

    Args:
      options: how.
      metrics: where loads, warm-ups and runs are counted.
      batcher: joins the calls of a signature; `None` joins none.
    """

    def __init__(
        self, options: LoadOptions | None = None, metrics: Metrics | None = None, batcher: Batcher | None = None
    ):
        self._options = options or LoadOptions()
        self._metrics = metrics or Metrics()
        self._batcher = batcher

    def __call__(self, name: str, version: int, path: str) -> Servable:
        """Loads a SavedModel and warms it up.

        Args:
          name: of the model.
          version: number of the folder.
          path: the version folder, local or any that `tf.io.gfile` reads.

        Returns:
          The servable, ready for calls.

        Raises:
          ServingError: NOT_FOUND without a saved_model.pb, DATA_LOSS if it is damaged, otherwise what TensorFlow or
            the warm-up request says.
        """
        try:
            servable = self._load(name, version, path)
            if self._options.warms_up:
                warm_up(servable, path, self._options.warmup_iterations, self._metrics)
        except Exception as error:
            self._metrics.count(LOAD_ATTEMPT_COUNT, path, "fail")
            raise from_exception(error) from error
        self._metrics.count(LOAD_ATTEMPT_COUNT, path, "success")
        return servable

    def _load(self, name: str, version: int, path: str) -> Servable:
        graph = self._graph(path)
        _register_operations(graph, path)
        definitions = dict(graph.signature_def)
        loaded = tf.saved_model.load(path, tags=list(self._options.tags))
        signatures = {}
        for key, function in loaded.signatures.items():
            run = function_runner(definitions[key], function)
            if self._batcher is not None:
                run = self._batcher.batched(run)
            signatures[key] = Signature(definitions[key], run, self._observer(name))
        return Servable(name, version, definitions, signatures, loaded, self._options.checks_method_names)

    def _observer(self, name: str) -> Callable[[str, float], None]:
        return lambda api, latency_s: self._metrics.observe(RUNTIME_LATENCY, latency_s * 1e6, name, api, "TF1")

    def _graph(self, path: str) -> meta_graph_pb2.MetaGraphDef:
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
            if set(meta_graph.meta_info_def.tags) == set(self._options.tags):
                return meta_graph
        tags = " ".join(self._options.tags)
        raise not_found(f"Could not find meta graph def matching supplied tags: {{ {tags} }} in {path}")


def _register_operations(graph: meta_graph_pb2.MetaGraphDef, path: str) -> None:
    """Makes ScaNN's operations known where a model has them; all other operations are TensorFlow's."""
    if any(operation.name.startswith(_SCANN) for operation in graph.meta_info_def.stripped_op_list.op):
        try:
            importlib.import_module("scann")
        except ImportError as error:
            raise failed_precondition(
                f"The model in {path} needs the package scann, which is missing: {error}"
            ) from None
