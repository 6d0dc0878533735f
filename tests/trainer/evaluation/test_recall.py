import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation.recall import mean_recall, pooled_recall, recall_interval


def test_pooled_and_mean_differ_when_requests_differ_in_size() -> None:
    hits = np.array([True, False, False, False, True])
    request = np.array([2, 2, 2, 2, 7])
    assert pooled_recall(hits) == pytest.approx(2 / 5)
    assert mean_recall(hits, request) == pytest.approx((1 / 4 + 1) / 2)


def test_no_ground_truth() -> None:
    nothing = np.array([], bool)
    assert (pooled_recall(nothing), mean_recall(nothing, nothing)) == (0.0, 0.0)
    assert recall_interval(nothing, nothing) == (0.0, 1.0)


def test_interval_of_independent_items_is_wilsons() -> None:
    # Wilson's interval of 8 of 10: centre (0.8 + z²/20) / (1 + z²/10), z = 1.96. Every request has one item, so only
    # the factor n / (n - 1) of the sample variance is left of the design effect.
    hits, size = np.arange(10) < 8, 10 * 9 / 10
    centre = (0.8 + 1.96**2 / (2 * size)) / (1 + 1.96**2 / size)
    radius = 1.96 / (1 + 1.96**2 / size) * np.sqrt(0.16 / size + 1.96**2 / (4 * size**2))
    assert recall_interval(hits, np.arange(10)) == pytest.approx((centre - radius, centre + radius))


def test_interval_counts_requests_where_their_items_share_a_fate() -> None:
    apart = recall_interval(np.arange(100) < 50, np.arange(100))
    together = recall_interval(np.arange(100) < 50, np.repeat(np.arange(10), 10))
    assert together[1] - together[0] > 2.5 * (apart[1] - apart[0])


def test_interval_covers_the_truth() -> None:
    source = np.random.default_rng(7)
    request = np.repeat(np.arange(60), 5)
    covered = 0
    for _ in range(300):
        affinity = source.beta(2, 3, size=60)
        low, high = recall_interval(source.random(300) < affinity[request], request)
        covered += low <= 0.4 <= high
    assert 0.92 <= covered / 300 <= 0.99


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30))
def test_interval_holds_the_recall(values: list[tuple[int, bool]]) -> None:
    request, hits = (np.array(side) for side in zip(*sorted(values), strict=True))
    low, high = recall_interval(hits, request)
    assert 0 <= low <= pooled_recall(hits) <= high <= 1
    assert high - low > 0
