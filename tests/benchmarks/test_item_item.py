"""The item-item baselines on exposures that are made up."""

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.item_item import main, popularity, read_requests, recalls, ridge
from sources.kuairand.exposures import Exposures

NUM_ITEMS = 6
# user, video, day, long view; by user and day
ROWS = [
    (1, 0, 10, 0),
    (1, 1, 11, 1),
    (1, 2, 12, 1),
    (1, 1, 12, 1),
    (1, 2, 12, 0),
    (2, 3, 11, 1),
    (2, 4, 12, 0),
    (3, 5, 12, 1),
]


@pytest.fixture(scope="module")
def exposures():
    user, video, day, long_view = np.array(ROWS).T
    return Exposures(user, video, day, np.zeros(len(ROWS), np.int64), long_view, long_view > 0, {})


def test_requests_are_user_days_with_long_views(exposures):
    requests = read_requests(exposures, NUM_ITEMS, [12])
    np.testing.assert_array_equal(requests.history.toarray(), [[1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(requests.truth.toarray(), np.array([[0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1]]) > 0)


def test_popularity_counts_the_long_views_of_its_days(exposures):
    requests = read_requests(exposures, NUM_ITEMS, [12])
    scores = popularity(exposures, NUM_ITEMS, [11, 12])(requests.history)
    np.testing.assert_array_equal(scores, [[0, 2, 1, 1, 0, 1]] * 2)


def test_recall_counts_what_was_seen_before_as_missed(exposures):
    requests = read_requests(exposures, NUM_ITEMS, [12])
    scores = np.array([[9.0, 8.0, 5.0, 6.0, 1.0, 0.0], [9.0, 8.0, 7.0, 6.0, 5.0, 4.0]])
    # User 1: items 0 and 1 were seen, so 3, 2, 4 and 5 are left, and 1 cannot be had. User 3: item 5 comes last.
    assert recalls(lambda history: scores.copy(), requests, ks=(1, 2, 6)) == {
        "recall@1": 0.0,
        "recall@2": pytest.approx(1 / 3),
        "recall@6": pytest.approx(2 / 3),
    }


def test_ridge_is_the_regression_of_each_item_on_all_others(exposures):
    regularisation = 0.7
    exposed = np.zeros([3, NUM_ITEMS])
    for user, video, day, _ in ROWS:
        exposed[user - 1, video] = day <= 12
    weights = ridge(exposures, NUM_ITEMS, 12, regularisation)(np.eye(NUM_ITEMS, dtype=np.float32))
    for item in range(NUM_ITEMS):
        others = np.delete(np.arange(NUM_ITEMS), item)
        gram = exposed[:, others].T @ exposed[:, others] + regularisation * np.eye(NUM_ITEMS - 1)
        expected = np.linalg.solve(gram, exposed[:, others].T @ exposed[:, item])
        np.testing.assert_allclose(weights[others, item], expected, atol=1e-6)
        assert weights[item, item] == 0


def test_ridge_learns_nothing_from_later_days(exposures):
    until = ridge(exposures, NUM_ITEMS, 11, 1.0)(np.eye(NUM_ITEMS, dtype=np.float32))
    assert until[0, 1] > 0
    assert not until[:, 2].any()


def test_command(tmp_path):
    result = CliRunner().invoke(main, ["--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "Received: neither" in result.output
