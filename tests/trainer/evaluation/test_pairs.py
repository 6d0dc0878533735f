import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation.pairs import NOWHERE, Pairs

NUM_ITEMS = 6


def pairs(*values: tuple[int, int]) -> Pairs:
    request, item = np.array(values, np.int64).reshape(-1, 2).T
    return Pairs(request, item)


def test_positions_are_those_of_the_own_request() -> None:
    ranked = np.array([[3, 1, -1], [1, 3, 5]])
    found = pairs((0, 1), (0, 3), (0, 5), (1, 1), (1, 5)).positions(ranked, NUM_ITEMS)
    assert found.tolist() == [1, 0, NOWHERE, 0, 2]


def test_unknown_items_match_nothing() -> None:
    unknown = pairs((0, -1), (0, -1))
    assert unknown.positions(np.array([[-1, 0]]), NUM_ITEMS).tolist() == [NOWHERE, NOWHERE]
    assert unknown.isin(unknown, NUM_ITEMS).tolist() == [False, False]


def test_distinct_keeps_the_first_and_every_unknown_item() -> None:
    kept = pairs((0, 4), (0, 1), (0, 4), (0, -1), (0, -1), (1, 4)).distinct(NUM_ITEMS)
    assert kept.request.tolist() == [0, 0, 0, 0, 1]
    assert kept.item.tolist() == [4, 1, -1, -1, 4]


def test_between_and_part() -> None:
    some = pairs((0, 4), (2, 1), (2, 3), (5, 0))
    where = some.between(2, 5)
    assert some.part(where, 2).request.tolist() == [0, 0]
    assert some.part(where, 2).item.tolist() == [1, 3]


@settings(max_examples=50, deadline=None)
@given(
    ranked=st.lists(st.permutations(range(NUM_ITEMS)), min_size=1, max_size=4),
    length=st.integers(0, NUM_ITEMS),
    wanted=st.lists(st.tuples(st.integers(0, 3), st.integers(-1, NUM_ITEMS - 1)), max_size=12),
)
def test_positions_agree_with_a_search(ranked: list[list[int]], length: int, wanted: list[tuple[int, int]]) -> None:
    lists = [each[:length] for each in ranked]
    wanted = sorted(pair for pair in wanted if pair[0] < len(lists))
    expected = [lists[row].index(item) if item in lists[row] else NOWHERE for row, item in wanted]
    found = pairs(*wanted).positions(np.array(lists).reshape(len(lists), length), NUM_ITEMS)
    assert found.tolist() == expected
