import hypothesis
import hypothesis.strategies as st
import numpy as np

from sources.kuairand.negatives import NegativeSampler


@hypothesis.settings(max_examples=50, deadline=None)
@hypothesis.given(st.data())
def test_rows_are_distinct_unseen_and_as_many_as_there_are(data: st.DataObject) -> None:
    num_items = data.draw(st.integers(1, 30))
    weights = data.draw(st.lists(st.integers(1, 10**6), min_size=num_items, max_size=num_items))
    seen = np.array(sorted(data.draw(st.sets(st.integers(0, num_items - 1)))), np.int64)
    size = data.draw(st.integers(0, 40))
    drawn = NegativeSampler(np.array(weights, float)).draw(size, seen, np.random.default_rng(0))
    assert len(drawn) == min(size, num_items - len(seen))
    assert len(set(drawn.tolist()) | set(seen.tolist())) == len(drawn) + len(seen)


def test_first_row_follows_the_weights() -> None:
    sampler = NegativeSampler(np.array([1.0, 2.0, 7.0]))
    generator = np.random.default_rng(0)
    first = [int(sampler.draw(1, np.zeros(0, np.int64), generator)[0]) for _ in range(20_000)]
    np.testing.assert_allclose(np.bincount(first) / 20_000, [0.1, 0.2, 0.7], atol=0.012)
