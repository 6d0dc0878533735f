"""What every kind of index finds, with exclusions and filters, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from serving import signatures
from trainer.config.index import IndexConfig
from trainer.data.item_table import ItemTable
from trainer.index.build import build_search
from trainer.index.item_filters import ItemFilters
from trainer.index.search_query import NO_VALUE, UNKNOWN_VALUE, SearchQuery

ALL_LEAVES = 54
CONFIGS = {
    "exact": IndexConfig("exact"),
    "ivf": IndexConfig("ivf", num_leaves=ALL_LEAVES, num_probed_leaves=ALL_LEAVES, rerank_factor=50),
    "scann": IndexConfig("scann", num_leaves=ALL_LEAVES, num_probed_leaves=ALL_LEAVES, rerank_factor=50),
}


@pytest.fixture(scope="module", params=CONFIGS)
def search(request, world):
    """Indices that search everywhere, so that they must find what the exact one finds."""
    if request.param == "scann":
        pytest.importorskip("scann", reason="scann is not installed")
    return build_search(CONFIGS[request.param], world.items, world.filters)


def find(search, world, wanted):
    function = tf.function(lambda users: search.search(users, wanted), autograph=False)
    return tuple(tensor.numpy() for tensor in function(tf.constant(world.users)))


def test_it_finds_the_best_and_scores_them_exactly(search, world, no_exclusions):
    rows, scores = find(search, world, SearchQuery(20, no_exclusions))
    for user in range(world.num_users):
        assert rows[user].tolist() == world.best(user, 20)
        np.testing.assert_allclose(scores[user], world.items[rows[user]] @ world.users[user], rtol=1e-5)
    np.testing.assert_allclose(search.score(tf.constant(world.users), tf.constant(rows)), scores, rtol=1e-5)


def test_a_saved_model_finds_the_same(search, world, no_exclusions, tmp_path):
    """ScaNN's tree is made of the variables when the model is loaded."""
    module = tf.Module()
    module.search = search
    module.find = tf.function(
        lambda users: search.search(users, SearchQuery(20, no_exclusions)),
        input_signature=[tf.TensorSpec([None, world.items.shape[1]])],
        autograph=False,
    )
    tf.saved_model.save(module, str(tmp_path / "model"))
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    rows, scores = loaded.find(tf.constant(world.users))
    expected_rows, expected_scores = find(search, world, SearchQuery(20, no_exclusions))
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-5)


def test_excluded_items_are_not_found(search, world):
    excluded = np.zeros([world.num_users, 30], np.int32)
    for user in range(1, world.num_users):  # the first excludes nothing
        excluded[user] = world.best(user, 30)[::-1]
    excluded[2, 1:] = excluded[2, 0]  # the same item over and over
    rows, _ = find(search, world, SearchQuery(10, tf.constant(excluded)))
    for user in range(world.num_users):
        allowed = ~np.isin(np.arange(world.num_items + 1), excluded[user])
        assert rows[user].tolist() == world.best(user, 10, allowed)


def test_all_items_excluded_leave_nothing(search, world):
    everything = tf.tile(tf.range(1, world.num_items + 1)[tf.newaxis], [world.num_users, 1])
    rows, scores = find(search, world, SearchQuery(5, everything))
    np.testing.assert_array_equal(rows, np.zeros([world.num_users, 5]))
    np.testing.assert_array_equal(scores, np.full([world.num_users, 5], np.float32(signatures.LOWEST_SCORE)))


def test_filters_are_met_all_of_them(search, world, no_exclusions):
    categories = np.full([world.num_users, 2], NO_VALUE, np.int32)
    colours = np.full([world.num_users, 1], NO_VALUE, np.int32)
    categories[1] = [0, 2]
    categories[2, 0] = 1
    colours[2] = 1
    categories[3, 0] = UNKNOWN_VALUE
    categories[4] = [UNKNOWN_VALUE, 1]
    filters = {"category": tf.constant(categories), "colour": tf.constant(colours)}
    rows, _ = find(search, world, SearchQuery(10, no_exclusions, filters))
    category, colour = world.encoded.T
    allowed = {1: np.isin(category, [0, 2]), 2: (category == 1) & (colour == 1), 4: category == 1}
    for user in range(world.num_users):
        if user == 3:
            assert not rows[user].any()
        else:
            assert rows[user].tolist() == world.best(user, 10, allowed.get(user))


def test_more_than_the_catalogue_ends_in_no_item(search, world, no_exclusions):
    rows, scores = find(search, world, SearchQuery(world.num_items + 50, no_exclusions))
    assert rows.shape == scores.shape == (world.num_users, world.num_items + 1)
    assert (np.sort(rows, axis=1) == np.arange(world.num_items + 1)).all()
    assert (rows[:, -1] == 0).all()


def test_nothing_wanted_is_nothing_found(search, world, no_exclusions):
    rows, scores = find(search, world, SearchQuery(0, no_exclusions))
    assert rows.shape == scores.shape == (world.num_users, 0)


def test_filter_values_are_text_of_the_vocabulary(world):
    encoded = world.filters.encode("category", tf.constant([["c2", "", "c9"], ["c0", "c1", ""]]))
    assert encoded.numpy().tolist() == [[2, NO_VALUE, UNKNOWN_VALUE], [0, 1, NO_VALUE]]


def test_a_filter_that_is_no_categorical_feature_is_refused():
    table = ItemTable((b"i0",), np.zeros([2, 0]), ())
    with pytest.raises(
        ValueError, match=r"`index.filters` must name categorical item features. Received: 'tag'; there are \[\]"
    ):
        ItemFilters(["tag"], table, {})


@pytest.mark.parametrize("kind", ["ivf", "scann"])
def test_fewer_found_than_wanted_end_in_no_item(world, kind):
    """One leaf of fifty holds less than is wanted of it, ScaNN's at times nothing; nothing is found twice."""
    if kind == "scann":
        pytest.importorskip("scann", reason="scann is not installed")
    search = build_search(IndexConfig(kind, num_leaves=50, num_probed_leaves=1), world.items, world.filters)
    excluded = np.zeros([world.num_users, 40], np.int32)
    excluded[0] = world.best(0, 40)
    rows, scores = find(search, world, SearchQuery(400, tf.constant(excluded)))
    assert rows.shape == (world.num_users, 400)
    for found, of_found in zip(rows, scores, strict=True):
        items = found[found > 0]
        assert len(items) < 400
        assert len(set(items.tolist())) == len(items)
        assert (found[len(items) :] == 0).all()
        assert (of_found[len(items) :] == np.float32(signatures.LOWEST_SCORE)).all()
    assert rows.any()
    assert not set(rows[0].tolist()) & set(excluded[0].tolist())


@pytest.mark.parametrize("kind", ["exact", "ivf"])
def test_a_batch_of_no_request(world, kind):
    search = build_search(CONFIGS[kind], world.items, world.filters)
    query = SearchQuery(5, tf.zeros([0, 0], tf.int32))
    rows, scores = tf.function(lambda users: search.search(users, query), autograph=False)(
        tf.zeros([0, world.items.shape[1]])
    )
    assert rows.shape[0] == scores.shape[0] == 0
