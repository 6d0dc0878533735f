"""The training benchmark on a small world."""

import json

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from benchmarks.train.__main__ import main
from benchmarks.train.world import FEATURES, World
from trainer.config.towers import Din, Dssm
from trainer.data.request_batch import empty_batch

SMALL = World(num_users=20, num_items=100, num_requests=64, batch_size=16)


def test_figures():
    result = CliRunner().invoke(main, ["--smoke", "--profile", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    figures = json.loads(result.stdout.splitlines()[-1])
    assert figures["world"]["num_requests"] == 96
    assert figures["device"] == "cpu"
    assert figures["lists_per_s"] == pytest.approx(max(figures["lists_per_s_by_epoch"][1:]))
    assert figures["step_s"] == pytest.approx(32 / figures["lists_per_s"])
    assert 0 <= figures["waiting_share"] < 1
    assert figures["peak_mib"] >= figures["peak_mib_before_training"] > 100
    assert np.isfinite(figures["loss"])
    parts = figures["parts_s"]
    assert min(parts.values()) > 0
    assert {"whole step", "ranking tower: attention logits", "loss of the lists", "optimiser"} <= set(parts)
    assert "processor_s_per_step" in result.stdout


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_no_gpu():
    result = CliRunner().invoke(main, ["--smoke", "--device", "gpu"])
    assert result.exit_code == 1
    assert "TensorFlow sees no GPU" in result.output


def test_requests_have_the_form_of_a_training_batch():
    requests = SMALL.requests(64)
    expected = empty_batch(FEATURES, SMALL.request_features)
    assert set(requests) == set(expected)
    for name, values in expected.items():
        assert requests[name].shape == (64, *values.shape[1:]), name
        assert requests[name].dtype == values.dtype.as_numpy_dtype, name
    assert (requests["ground_truth"].sum(axis=1) == 10).all()
    assert requests["candidate_item"].min() >= 1
    assert requests["candidate_item"].max() <= 100
    assert (requests["history_item"][~requests["history_where"]] == 0).all()


def test_the_model_is_the_papers():
    retrieval, ranking = SMALL.config.stages
    assert retrieval.tower == Dssm((128, 64), output_dim=32)
    assert ranking.tower == Din((128, 128, 32), attention_units=80)
    assert SMALL.config.item_embedding_dim == 8
    assert SMALL.config.loss.catalogue.weight == 0
    assert World(catalogue=True).config.loss.catalogue.weight > 0


@pytest.mark.parametrize(("optimizer", "is_moved"), [("adam", True), ("lazy_adam", False)])
def test_a_row_that_was_looked_up_once(optimizer, is_moved):
    """Adam's moments go on moving it, lazy Adam leaves it alone."""
    world = World(num_users=20, num_items=100_000, num_requests=2, batch_size=1, optimizer=optimizer)
    model, requests = world.model(), world.requests(2)
    table = model.stages[1].item_encoder.item_embedding.embeddings
    first, second = ({name: tf.constant(values[i : i + 1]) for name, values in requests.items()} for i in range(2))
    only_first = np.setdiff1d(first["candidate_item"], np.append(second["candidate_item"], second["history_item"]))
    model.train_step(first)
    before = table.numpy()[only_first]
    model.train_step(second)
    assert np.any(table.numpy()[only_first] != before) == is_moved
