"""Exported models whose index is approximate and filters, asked as SavedModels and by a client."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from models import load_saved_model
from patience import PATIENCE_S, wait_until

from serving.client import ClientConfig, RecommenderClient
from serving.client.errors import InvalidRequestError
from serving.release.manifest import Stage
from serving.release.push import push
from serving.server.program.release_server import release_server
from trainer.config.index import IndexConfig
from trainer.data.vocabularies import vocabularies
from trainer.model.cascade_model import CascadeModel
from trainer.release.candidate import read_manifest, write_candidate
from trainer.release.refresh.material import read_material
from trainer.release.refresh.refresh_models import refresh_models

K = 20


@pytest.fixture(scope="module", params=["ivf", "scann"])
def released(request, keras_reference, transformed_data, candidate_dir, tmp_path_factory):
    """The tiny candidate with another index."""
    if request.param == "scann":
        pytest.importorskip("scann", reason="scann is not installed")
    other = keras_reference.model
    index = IndexConfig(request.param, num_leaves=6, num_probed_leaves=6, filters=("category",))
    config = dataclasses.replace(other.config, index=index)
    model = CascadeModel(config, other.features, other.stages[0].request_features, other.item_table)
    batch = {name: tf.constant(values) for name, values in keras_reference.batch.items()}
    model(batch)
    model.set_weights(other.get_weights())
    folder = tmp_path_factory.mktemp("indices") / "candidate"
    material = read_material(str(candidate_dir / "models" / "cascade"))
    words = vocabularies(tft.TFTransformOutput(transformed_data.catalogue_transform_dir), other.features.item, "item")
    words |= vocabularies(
        tft.TFTransformOutput(transformed_data.request_transform_dir), other.features.request, "request"
    )
    write_candidate(
        str(folder),
        model,
        material=dataclasses.replace(material, config=config),
        vocabularies=words,
        record=read_manifest(str(candidate_dir)).record,
    )
    return folder


def categories(transformed_data):
    """The raw category of each item."""
    examples = map(tf.train.Example.FromString, transformed_data.catalogue)
    features = (example.features.feature for example in examples)
    return {
        each["item_id"].bytes_list.value[0]: each["category"].bytes_list.value[0]
        for each in features
        if each["category"].bytes_list.value
    }


def ask(released, name, raw, k=K, **inputs):
    """Asks retrieval for the best `k` of every request."""
    raw = {key: value for key, value in raw.items() if key != "candidate_item_id"}
    size = len(raw["user_id"])
    inputs = {
        "exclude_item_id": tf.fill([size, 1], ""),
        "filter_category": tf.fill([size, 1], ""),
        "num_probed_leaves": tf.zeros([size], tf.int32),
        "k": tf.fill([size], k),
        **inputs,
    }
    return load_saved_model(released / "models" / name[0]).signatures[name[1]](**{**raw, **inputs})


def test_the_manifest_says_what_the_index_finds(released):
    assert read_manifest(str(released)).index_recall == {"recall@10": 1.0, "recall@100": 1.0}


def test_all_leaves_find_what_the_keras_model_says(released, keras_reference, raw_inputs, candidate_requests):
    rows = np.tile(np.arange(1, len(keras_reference.item_ids) + 1), [len(candidate_requests), 1])
    scores = keras_reference.stage_scores(0, rows)
    found = ask(released, ("retrieval", "retrieve"), raw_inputs(candidate_requests))
    np.testing.assert_allclose(found["score"], -np.sort(-scores)[:, :K], rtol=1e-4, atol=1e-5)


def test_both_models_filter(released, transformed_data, raw_inputs, candidate_requests):
    of_item = categories(transformed_data)
    wanted = sorted(set(of_item.values()))[:2]
    raw = raw_inputs(candidate_requests)
    values = tf.tile(tf.constant([wanted]), [len(candidate_requests), 1])
    for name in (("retrieval", "retrieve"), ("cascade", "recommend")):
        found = ask(released, name, raw, filter_category=values)["item_id"].numpy()
        assert {of_item[item_id] for item_id in found.ravel() if item_id} == set(wanted)
    nothing = ask(released, ("retrieval", "retrieve"), raw, filter_category=tf.fill(values.shape, "no such"))
    assert (nothing["item_id"].numpy() == b"").all()


def test_a_refresh_keeps_the_index_and_its_filters(
    released, transformed_data, raw_inputs, candidate_requests, tmp_path
):
    refresh = refresh_models(str(released / "models" / "cascade"), transformed_data.catalogue, str(tmp_path / "models"))
    kind = read_material(str(released / "models" / "cascade")).config.index.kind
    assert refresh.index == {"kind": kind, "recall@10": 1.0, "recall@100": 1.0}
    raw = raw_inputs(candidate_requests)
    wanted = sorted(set(categories(transformed_data).values()))[0]
    values = tf.fill([len(candidate_requests), 1], wanted)
    for name in (("retrieval", "retrieve"), ("cascade", "recommend")):
        before, after = (ask(folder, name, raw, filter_category=values) for folder in (released, tmp_path))
        assert (before["item_id"].numpy()[:, 0] != b"").all()
        np.testing.assert_array_equal(after["item_id"], before["item_id"])


def test_a_client_filters_and_says_how_many_leaves(released, transformed_data, tmp_path):
    of_item = categories(transformed_data)
    wanted = sorted(set(of_item.values()))[0]
    stages = (Stage("retrieval", 20), Stage("ranking", 10))
    models = {name: released / "models" / name for name in ("retrieval", "ranking", "cascade")}
    push(models, tmp_path / "serving", stages=stages)
    with release_server(tmp_path / "serving", port=0) as server:
        for one_call in (False, True):
            with RecommenderClient(
                server.target, ClientConfig(stages, one_call=one_call, deadline_s=PATIENCE_S)
            ) as client:
                filters = {"category": np.array([wanted.decode()] * 2)}
                answer = client.recommend("u1", filters=filters, num_probed_leaves=3, k=5)
                assert {of_item[item_id.encode()] for item_id in answer.item_ids} == {wanted}
                with pytest.raises(
                    InvalidRequestError, match=r"`filters`: the model takes no \['tag'\]. It takes: \['category'\]"
                ):
                    client.recommend("u1", filters={"tag": ["x"]})


@pytest.mark.parametrize("released", ["ivf"], indirect=True)  # the client does not see the kind of the index
def test_a_filter_that_a_later_release_lacks_is_an_error(released, candidate_dir, transformed_data, tmp_path):
    """The client learned what the release before took, which would answer as if nothing were filtered."""
    stages = (Stage("retrieval", 20), Stage("ranking", 10))
    filters = {"category": [sorted(set(categories(transformed_data).values()))[0].decode()]}
    first, second = (
        {name: folder / "models" / name for name in ("retrieval", "ranking", "cascade")}
        for folder in (released, candidate_dir)
    )
    push(first, tmp_path, stages=stages)
    config = ClientConfig(stages, deadline_s=PATIENCE_S)
    with release_server(tmp_path, port=0) as server, RecommenderClient(server.target, config) as client:
        assert client.recommend("u1", filters=filters, k=2).item_ids
        manifest = push(second, tmp_path, stages=stages)
        wait_until(lambda: manifest.version in server.available_versions("retrieval"))
        with pytest.raises(InvalidRequestError, match=r"`filters`: the model takes no \['category'\]"):
            client.recommend("u1", filters=filters, k=2)
        assert client.recommend("u1", k=2).release == manifest.version


def test_an_exact_index_takes_no_leaves_and_no_filters(candidate_dir, tmp_path):
    stages = (Stage("retrieval", 20), Stage("ranking", 10))
    push(
        {name: candidate_dir / "models" / name for name in ("retrieval", "ranking", "cascade")}, tmp_path, stages=stages
    )
    config = ClientConfig(stages, deadline_s=PATIENCE_S)
    with release_server(tmp_path, port=0) as server, RecommenderClient(server.target, config) as client:
        with pytest.raises(
            InvalidRequestError, match="`num_probed_leaves`: the release searches no leaves, its index is exact"
        ):
            client.recommend("u1", num_probed_leaves=3)
        with pytest.raises(InvalidRequestError, match=r"`filters`: the model takes no \['category'\]. It takes: \[\]"):
            client.recommend("u1", filters={"category": ["a"]})
