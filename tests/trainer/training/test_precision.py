"""Training whose towers compute in half precision."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from trainer.config.towers import TOWERS
from trainer.release.candidate import load_model, read_manifest
from trainer.training.run import train


@pytest.mark.parametrize("towers", [("two_tower", "din"), ("dssm", "mlp"), ("dssm", "dcn")])
def test_towers_compute_in_half_precision_and_score_in_float32(tiny, towers):
    stages = tuple(
        dataclasses.replace(stage, tower=TOWERS[kind](stage.tower.hidden_units))
        for stage, kind in zip(tiny.config.stages, towers, strict=True)
    )
    config = dataclasses.replace(tiny.config, stages=stages)
    full, half = tiny.model(config), tiny.model(dataclasses.replace(config, precision="bfloat16"))
    half.set_weights(full.get_weights())
    assert {variable.dtype for variable in half.trainable_variables} == {tf.float32}
    for scores, expected in zip(half.score(tiny.batch(8)), full.score(tiny.batch(8)), strict=True):
        assert scores.dtype == tf.float32
        np.testing.assert_allclose(scores, expected, rtol=0.03, atol=0.03)
        assert np.any(scores.numpy() != expected.numpy())


def _last_loss(tiny, precision):
    model = tiny.model(dataclasses.replace(tiny.config, precision=precision))
    step = tf.function(model.train_step, autograph=False)
    losses = []
    for _ in range(12):
        model.reset_metrics()
        losses.append(float(step(tiny.batch(32))["total_loss"]))
    assert losses[-1] < losses[0] - 0.1
    assert int(model.bad_step) == -1
    return losses[-1]


@pytest.fixture(scope="module")
def last_loss_in_float32(tiny):
    return _last_loss(tiny, "float32")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_training_ends_near_that_in_float32(tiny, last_loss_in_float32, precision):
    assert _last_loss(tiny, precision) == pytest.approx(last_loss_in_float32, rel=0.02)


def _loss_scale(model):
    return tf.train.TrackableView.children(model.optimizer)["loss_scale"].current_loss_scale


@pytest.fixture(scope="module")
def overflown(tiny):
    """A float16 model and its weights before a step whose scaled gradient is too large."""
    model = tiny.model(dataclasses.replace(tiny.config, precision="float16"))
    _loss_scale(model).assign(2.0**100)
    before = [variable.numpy() for variable in model.stages[1].trainable_variables]
    model.train_step(tiny.batch(8))
    return model, before


def test_a_gradient_that_is_too_large_for_float16_costs_a_step_and_is_no_divergence(overflown):
    model, before = overflown
    for variable, value in zip(model.stages[1].trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert int(model.bad_step) == -1
    assert float(model.optimizer.loss_scale) == 2.0**99
    assert int(model.optimizer.iterations) == 1


def test_a_gradient_that_no_scale_makes_finite_is_a_divergence(overflown, tiny):
    model, _ = overflown
    _loss_scale(model).assign(1.0)
    model.stages[1].item_encoder.item_embedding.embeddings.assign(tf.fill([21, 4], np.nan))
    model.train_step(tiny.batch(8))
    assert int(model.bad_step) == 1


@pytest.fixture(scope="module")
def half_precision_run(candidate_dir, transformed_data, tmp_path_factory):
    """A run in bfloat16 that starts from `candidate_dir` and learns next to nothing; its release, record and lines."""
    full = read_manifest(str(candidate_dir))
    folder = tmp_path_factory.mktemp("half_precision")
    lines: list[str] = []
    record = train(
        dataclasses.replace(full.config, precision="bfloat16", learning_rate=1e-9, epochs=1),
        full.features,
        transformed_data.training_files,
        output_dir=str(folder / "release"),
        log_dir=str(folder / "logs"),
        warm_start_dir=str(candidate_dir / "models" / "cascade"),
        report=lines.append,
    )
    return folder / "release", record, lines


def test_a_run_starts_from_an_earlier_release(half_precision_run, candidate_dir):
    folder, record, lines = half_precision_run
    before = read_manifest(str(candidate_dir)).record
    expected = before.epochs[before.best_epoch - 1].validation
    for name in ("retrieval_loss", "ranking_loss", "end_to_end_loss"):
        assert record.epochs[0].validation[name] == pytest.approx(expected[name], rel=0.01), name
    counts = {table.name: (table.num_kept, table.num_new, table.num_dropped) for table in record.warm_start.tables}
    assert counts["retrieval/item/item_id"] == counts["ranking/item/item_id"] == (60, 0, 0)
    assert counts["retrieval/item/category"] == (4, 0, 0)
    assert record.warm_start.initialized == ()
    assert str(record.warm_start) in lines
    assert read_manifest(str(folder)).record == record


def test_what_is_released_computes_in_float32(half_precision_run):
    folder, _, _ = half_precision_run
    assert read_manifest(str(folder)).config.precision == "bfloat16"
    assert {stage.compute_dtype for stage in load_model(str(folder)).stages} == {"float32"}
    half = {tf.bfloat16.as_datatype_enum, tf.float16.as_datatype_enum}
    for name in ("retrieval", "ranking", "cascade"):
        path = folder / "models" / name / "saved_model.pb"
        graph = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs[0].graph_def
        nodes = [node for part in (graph, *graph.library.function) for node in _nodes(part)]
        assert len(nodes) > 100
        assert not {attribute.type for node in nodes for attribute in node.attr.values()} & half


def _nodes(part):
    return part.node if hasattr(part, "node") else part.node_def
