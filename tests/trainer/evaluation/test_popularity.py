from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation.catalogue import Catalogue, read_catalogue
from trainer.evaluation.pairs import NOWHERE, Pairs
from trainer.evaluation.popularity import popularity_metrics, popularity_positions, popularity_ranks
from trainer.evaluation.requests import Requests, read_requests


@pytest.fixture
def catalogue(world: dict) -> Catalogue:
    return read_catalogue(world["catalogue_files"])


@pytest.mark.parametrize(
    ("min_stage", "days", "expected"),
    [
        pytest.param(3, None, {"b": 0, "c": 1, "a": 2}, id="ground truth: b 3, c 3, a 1"),
        pytest.param(1, None, {"c": 0, "b": 1, "d": 2, "a": 3}, id="exposures: c 4, b 3, d 3, a 1"),
        pytest.param(3, 2.0, {"c": 0, "b": 1}, id="last two days: c 2, b 1"),
    ],
)
def test_ranks(world: dict, catalogue: Catalogue, min_stage: int, days: float | None, expected: dict) -> None:
    files = world["train_request_files"]
    ranks = popularity_ranks(files, catalogue, min_stages={"list": min_stage}, days=days, batch_size=3)
    assert ranks["list"].tolist() == [expected.get(item, NOWHERE) for item in "abcde"]


def test_recall(world: dict, catalogue: Catalogue) -> None:
    files = world["train_request_files"]
    ranks = popularity_ranks(files, catalogue, min_stages={"list": 3}, days=None, batch_size=3)["list"]
    requests = read_requests(world["request_files"], catalogue, ground_truth_stage=3, batch_size=3)
    # The list is b, c, a. Ground truth: r1 c a d x; r2 a (excluded) b d c; r4 d.
    kept = popularity_positions(ranks, requests, remove_excluded=False)
    removed = popularity_positions(ranks, requests, remove_excluded=True)
    request = requests.ground_truth.request
    assert popularity_metrics(kept, request, (1, 2, 3)) == pytest.approx(
        {
            "recall@1": 1 / 9,
            "recall@2": 3 / 9,
            "recall@3": 5 / 9,
            "mean_recall@1": 1 / 4 / 3,
            "mean_recall@2": (1 / 4 + 2 / 4) / 3,
            "mean_recall@3": (2 / 4 + 3 / 4) / 3,
        }
    )
    assert popularity_metrics(removed, request, (3,))["recall@3"] == pytest.approx(4 / 9)


def test_no_training_requests(catalogue: Catalogue, write_rows) -> None:
    with pytest.raises(ValueError, match="There must be at least one training request"):
        popularity_ranks([write_rows("empty", [])], catalogue, min_stages={"list": 3}, days=7, batch_size=3)


@settings(max_examples=50, deadline=None)
@given(
    counted=st.permutations(range(6)),
    num_counted=st.integers(0, 6),
    excluded=st.lists(st.sets(st.integers(-1, 5)), min_size=2, max_size=2),
    truth=st.lists(st.sets(st.integers(-1, 5), min_size=1), min_size=2, max_size=2),
)
def test_removal_agrees_with_lists(
    counted: list[int], num_counted: int, excluded: Sequence[set[int]], truth: Sequence[set[int]]
) -> None:
    popular = counted[:num_counted]
    ranks = np.array([popular.index(item) if item in popular else NOWHERE for item in range(6)])
    requests = Requests((), 3, np.arange(2), np.zeros(2), np.zeros(2), _pairs(truth), _pairs(excluded))
    expected = []
    for request, item in zip(requests.ground_truth.request, requests.ground_truth.item, strict=True):
        left = [each for each in popular if each not in excluded[request]]
        expected.append(left.index(item) if item in left else NOWHERE)
    assert popularity_positions(ranks, requests, remove_excluded=True).tolist() == expected


def _pairs(items_by_request: Sequence[set[int]]) -> Pairs:
    pairs = [(row, item) for row, items in enumerate(items_by_request) for item in items]
    return Pairs(*np.array(pairs, np.int64).reshape(-1, 2).T)
