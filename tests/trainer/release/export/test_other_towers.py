"""Cascades of other towers than the demo's: the paper's DSSM, and item similarity whose scores ranking adds to."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.towers import Dssm, ItemSimilarity, Mlp
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.item_lookup import write_item_ids
from trainer.model.cascade_model import CascadeModel
from trainer.release.export.export_models import export_models
from trainer.release.export.retrieval_index import RetrievalIndex

STAGES = {
    "dssm": (
        StageConfig("retrieval", Dssm(hidden_units=(8,), output_dim=4), 20),
        StageConfig("ranking", Mlp(hidden_units=(8,)), 10),
    ),
    "item_similarity": (
        StageConfig("retrieval", ItemSimilarity(hidden_units=(8,), output_dim=4), 20),
        StageConfig("ranking", Mlp(hidden_units=(8,)), 10, adds_to_previous=True),
    ),
}


@pytest.fixture(scope="module", params=STAGES)
def model(request, keras_reference):
    """The cascade on the tiny data set with weights at random."""
    other = keras_reference.model
    config = TrainerConfig(stages=STAGES[request.param], item_embedding_dim=4)
    model = CascadeModel(config, other.features, other.stages[0].request_features, other.item_table)
    model({name: tf.constant(values) for name, values in keras_reference.batch.items()})  # builds the weights
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.5))
    return model


@pytest.fixture(scope="module")
def models_dir(model, transformed_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("towers")
    write_item_ids(model.item_table.item_ids, str(folder / "item_ids.txt"))
    export_models(
        model,
        RetrievalIndex(model),
        request_transform_dir=transformed_data.request_transform_dir,
        item_ids_path=str(folder / "item_ids.txt"),
        models_dir=str(folder / "models"),
    )
    return folder / "models"


def test_it_serves_what_the_keras_model_says(model, models_dir, keras_reference, raw_inputs, candidate_requests):
    row = {item_id: index + 1 for index, item_id in enumerate(keras_reference.item_ids)}
    rows = tf.tile([tf.range(1, len(row) + 1)], [len(candidate_requests), 1])
    batch = {name: tf.constant(values) for name, values in keras_reference.batch.items()}
    retrieval, ranking = (stage.score(stage.encode_request(batch), rows).numpy() for stage in model.stages)
    assert np.ptp(retrieval, axis=1).min() > 0.1
    if model.config.stages[1].adds_to_previous:
        ranking = retrieval + ranking

    inputs = {name: value for name, value in raw_inputs(candidate_requests).items() if name != "candidate_item_id"}
    inputs["exclude_item_id"] = tf.fill([len(candidate_requests), 1], "")
    inputs["k"] = tf.fill([len(candidate_requests)], 20)
    found = tf.saved_model.load(str(models_dir / "retrieval")).signatures["retrieve"](**inputs)
    np.testing.assert_allclose(found["score"], -np.sort(-retrieval)[:, :20], rtol=1e-5, atol=1e-5)
    column = np.vectorize(lambda item_id: row[item_id] - 1)(found["item_id"].numpy())
    np.testing.assert_allclose(np.take_along_axis(retrieval, column, axis=1), found["score"], rtol=1e-5, atol=1e-5)

    recommended = tf.saved_model.load(str(models_dir / "cascade")).signatures["recommend"](**inputs)
    passed_on = np.take_along_axis(ranking, column, axis=1)
    np.testing.assert_allclose(recommended["score"][:, :10], -np.sort(-passed_on)[:, :10], rtol=1e-5, atol=1e-5)
    assert (recommended["item_id"].numpy()[:, 10:] == b"").all()
