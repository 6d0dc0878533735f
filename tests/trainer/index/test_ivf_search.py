"""Search of some leaves."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.index import IndexConfig
from trainer.index.exact_search import ExactSearch
from trainer.index.ivf_search import IvfSearch
from trainer.index.recall import index_recall
from trainer.index.search_query import SearchQuery


@pytest.fixture(scope="module")
def recalls(world):
    """Recall by the number of probed leaves."""
    exact = ExactSearch(world.items, world.filters)
    configs = {probed: IndexConfig("ivf", num_leaves=50, num_probed_leaves=probed) for probed in (1, 4, 16, 50)}
    return {
        probed: index_recall(IvfSearch(world.items, world.filters, config), exact, world.users)
        for probed, config in configs.items()
    }


def test_more_leaves_find_more(recalls):
    found = [recalls[probed]["recall@100"] for probed in (1, 4, 16, 50)]
    assert found == sorted(found)
    assert 0.1 < found[0] < 0.8
    assert found[2] > 0.95
    assert found[3] > 0.99


def test_recall_is_the_share_of_the_exact_answer(world):
    class FirstHalf:
        """Finds every other item of the exact answer."""

        def search(self, users, wanted):
            rows, scores = exact.search(users, wanted)
            return tf.where(tf.range(wanted.size) % 2 == 0, rows, 0), scores

    exact = ExactSearch(world.items, world.filters)
    assert index_recall(FirstHalf(), exact, world.users) == {"recall@10": 0.5, "recall@100": 0.5}
    assert index_recall(exact, exact, world.users) == {"recall@10": 1.0, "recall@100": 1.0}


def test_a_request_says_how_many_leaves(world, no_exclusions):
    users = tf.constant(world.users)
    default, two = (
        IvfSearch(world.items, world.filters, IndexConfig("ivf", num_leaves=50, num_probed_leaves=probed))
        for probed in (50, 2)
    )
    asked = np.full([world.num_users], 2, np.int32)
    asked[0] = 0  # the index's own
    asked[1] = 1_000_000  # all there are
    rows, _ = default.search(users, SearchQuery(100, no_exclusions, num_probed_leaves=tf.constant(asked)))
    of_two, _ = two.search(users, SearchQuery(100, no_exclusions))
    assert rows[0].numpy().tolist() == rows_of(default, world, no_exclusions)[0]
    assert rows[1].numpy().tolist() == rows_of(default, world, no_exclusions)[1]
    np.testing.assert_array_equal(rows[2:], of_two[2:])


def rows_of(search, world, no_exclusions):
    return search.search(tf.constant(world.users), SearchQuery(100, no_exclusions))[0].numpy().tolist()


@pytest.mark.parametrize("num_items", [1, 2, 30])
def test_a_small_catalogue(world, num_items):
    search = IvfSearch(world.items[: num_items + 1], world.filters, IndexConfig("ivf"))
    rows, _ = search.search(tf.constant(world.users), SearchQuery(50, tf.zeros([world.num_users, 0], tf.int32)))
    assert (np.sort(rows, axis=1) == np.arange(num_items + 1)).all()
