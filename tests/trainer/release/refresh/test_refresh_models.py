"""The models of a release for another catalogue."""

import numpy as np
import pytest
import tensorflow as tf
from models import load_saved_model

from serving.release.checksums import checksums
from trainer.release.refresh.material import read_material
from trainer.release.refresh.refresh_models import RefreshError, refresh_models

GONE = {b"item_03", b"item_11"}


def example(**values):
    feature = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, bytes)
        else tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        for name, value in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def item_id(serialized):
    return tf.train.Example.FromString(serialized).features.feature["item_id"].bytes_list.value[0]


@pytest.fixture(scope="module")
def catalogue(transformed_data):
    """Two items less, and three more: of a known category, of one that is new, and without any."""
    kept = [serialized for serialized in transformed_data.catalogue if item_id(serialized) not in GONE]
    added = [
        example(item_id=b"new_1", category=b"category_1", duration_ms=9_000, author_id=1),
        example(item_id=b"new_2", category=b"category_nobody_knew", duration_ms=9_000, author_id=1),
        example(item_id=b"new_3", duration_ms=9_000),
    ]
    return [*added, *kept]


@pytest.fixture(scope="module")
def refreshed(candidate_dir, catalogue, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refreshed") / "models"
    return folder, refresh_models(str(candidate_dir / "models" / "cascade"), catalogue, str(folder))


def scores(models_dir, requests, item_ids):
    """Scores of items by each stage, as the models of a release give them to requests."""
    found = {}
    for stage in ("retrieval", "ranking"):
        signature = load_saved_model(models_dir / stage).signatures["score_examples"]
        examples = []
        for serialized in requests:
            request = tf.train.Example.FromString(serialized)
            request.features.feature["candidate_item_id"].bytes_list.value[:] = item_ids
            # Without a history, which holds items that are gone.
            for name in ("history_item_id", "history_grade"):
                request.features.feature.pop(name, None)
            examples.append(request.SerializeToString())
        found[stage] = signature(examples=tf.constant(examples))["score"].numpy()
    return found


def test_it_counts_what_changed(refreshed, transformed_data):
    _, refresh = refreshed
    assert (refresh.num_kept, refresh.num_new, refresh.num_gone) == (len(transformed_data.catalogue) - 2, 3, 2)
    assert refresh.index == {"kind": "exact", "recall@10": 1.0, "recall@100": 1.0}


def test_items_that_stay_score_as_before(refreshed, candidate_dir, candidate_requests, transformed_data):
    kept = [item_id(each) for each in transformed_data.catalogue if item_id(each) not in GONE]
    before = scores(candidate_dir / "models", candidate_requests, kept)
    after = scores(refreshed[0], candidate_requests, kept)
    for stage, values in before.items():
        np.testing.assert_allclose(after[stage], values, rtol=1e-5, atol=1e-6)


def test_new_items_have_finite_scores_and_items_gone_have_none(refreshed, candidate_requests):
    for values in scores(refreshed[0], candidate_requests, [b"new_1", b"new_2", b"new_3"]).values():
        assert (np.abs(values) < 1e3).all()
    for values in scores(refreshed[0], candidate_requests, sorted(GONE)).values():
        assert (values == np.finfo(np.float32).min).all()


def test_new_items_are_recommended_by_their_features(refreshed, candidate_requests, transformed_data):
    """A new item of a known category is nearer to that category's items than to the others."""
    known = {name: [] for name in (b"category_1", b"category_2")}
    for each in transformed_data.catalogue:
        feature = tf.train.Example.FromString(each).features.feature
        category = feature["category"].bytes_list.value
        if category and category[0] in known and item_id(each) not in GONE:
            known[category[0]].append(item_id(each))
    names = [b"new_1", *known[b"category_1"], *known[b"category_2"]]
    found = scores(refreshed[0], candidate_requests, names)["retrieval"]
    new, first, second = np.split(found - found.mean(axis=1, keepdims=True), [1, 1 + len(known[b"category_1"])], axis=1)
    of_own = np.abs(new - first.mean(axis=1, keepdims=True)).mean()
    of_other = np.abs(new - second.mean(axis=1, keepdims=True)).mean()
    assert of_own < of_other


def test_the_catalogue_of_the_release_gives_the_models_of_the_release(
    candidate_dir, transformed_data, candidate_requests, tmp_path
):
    refresh = refresh_models(str(candidate_dir / "models" / "cascade"), transformed_data.catalogue, str(tmp_path / "m"))
    assert (refresh.num_new, refresh.num_gone) == (0, 0)
    for model in ("retrieval", "ranking", "cascade"):
        before, after = (checksums(folder / model) for folder in (candidate_dir / "models", tmp_path / "m"))
        assert after.keys() == before.keys()
    inputs = {"examples": tf.constant(candidate_requests), "k": tf.fill([len(candidate_requests)], 10)}
    for model, signature in (("retrieval", "retrieve_examples"), ("cascade", "recommend_examples")):
        before, after = (
            load_saved_model(folder / model).signatures[signature](**inputs)
            for folder in (candidate_dir / "models", tmp_path / "m")
        )
        np.testing.assert_array_equal(after["item_id"], before["item_id"])
        np.testing.assert_allclose(after["score"], before["score"], rtol=1e-5, atol=1e-6)


def test_a_refreshed_release_can_be_refreshed_again(refreshed, transformed_data, tmp_path):
    cascade_dir = str(refreshed[0] / "cascade")
    assert b"new_1" in read_material(cascade_dir).item_ids
    refresh = refresh_models(cascade_dir, transformed_data.catalogue, str(tmp_path / "models"))
    assert (refresh.num_new, refresh.num_gone) == (2, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda catalogue: [], "The catalogue must hold at least one item. Received: none"),
        (
            lambda catalogue: [catalogue[0], *catalogue],
            r"An item is in the catalogue once. Received `item_id` 'new_1' twice",
        ),
        (
            lambda catalogue: catalogue[:13],
            r"At least 50% of the release's 60 items must be in the new catalogue. Received: 10 of them among 13 items",
        ),
        (
            lambda catalogue: [example(item_id=b"new_9"), *catalogue],
            "The catalogue does not fit the release's features: Name: <unknown>, Feature: duration_ms "
            r"\(data type: int64\) is required but could not be found\.",
        ),
        (
            lambda catalogue: [example(item_id=b"new_9", category=7, duration_ms=9_000), *catalogue],
            r"The catalogue does not fit the release's features: .*category",
        ),
    ],
)
def test_a_catalogue_that_does_not_fit_is_one_error(candidate_dir, catalogue, tmp_path, make, message):
    with pytest.raises(RefreshError, match=message):
        refresh_models(str(candidate_dir / "models" / "cascade"), make(catalogue), str(tmp_path / "models"))
    assert not (tmp_path / "models").exists()


def test_a_model_without_material_is_one_error(candidate_dir, catalogue, tmp_path):
    with pytest.raises(
        ValueError, match=r"A refresh needs a cascade's SavedModel with a readable folder assets.extra/refresh"
    ):
        refresh_models(str(candidate_dir / "models" / "ranking"), catalogue, str(tmp_path / "models"))
