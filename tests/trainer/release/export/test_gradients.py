import gc
import weakref

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from trainer.release.export.gradients import remove_custom_gradients


@pytest.fixture
def saved(tmp_path):
    """`y = v * x`, by an operation with a gradient of its own."""
    module = tf.Module()
    module.v = tf.Variable(3.0)

    @tf.custom_gradient
    def scaled(x):
        return module.v * x, lambda upstream, variables: (upstream, [upstream])

    signature = tf.function(lambda x: {"y": scaled(x)}).get_concrete_function(tf.TensorSpec([None], tf.float32, "x"))
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": signature})
    return str(tmp_path / "saved")


def graph_after_unloading(path):
    loaded = tf.saved_model.load(path)
    signature = loaded.signatures["serving_default"]
    assert signature(x=tf.constant([2.0]))["y"].numpy().tolist() == [6.0]
    graph = weakref.ref(signature.graph)
    del loaded, signature
    gc.collect()
    return graph()


def test_a_model_without_custom_gradients_leaves_memory(saved):
    assert graph_after_unloading(saved) is not None  # TensorFlow holds on to it
    remove_custom_gradients(saved)
    assert graph_after_unloading(saved) is None


def test_a_second_time_changes_nothing(saved):
    remove_custom_gradients(saved)
    with open(f"{saved}/saved_model.pb", "rb") as file:
        once = file.read()
    remove_custom_gradients(saved)
    with open(f"{saved}/saved_model.pb", "rb") as file:
        assert file.read() == once


@pytest.mark.parametrize("model", ["retrieval", "ranking", "cascade"])
def test_exported_models_have_none(candidate_dir, model):
    folder = candidate_dir / "models" / model
    (meta_graph,) = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs
    library = meta_graph.graph_def.library
    assert len(library.function) > 5
    assert not library.registered_gradients
    assert not any("_gradient_op_type" in node.attr for function in library.function for node in function.node_def)
    assert not (folder / "fingerprint.pb").exists()
