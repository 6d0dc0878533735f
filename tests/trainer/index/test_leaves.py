"""Balanced k-means."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.index.leaves import SLACK, balanced_leaves


@settings(max_examples=40, deadline=None)
@given(num_items=st.integers(1, 400), share=st.floats(0, 1), num_distinct=st.integers(1, 50), seed=st.integers(0, 999))
def test_every_item_is_in_one_leaf_and_no_leaf_is_large(num_items, share, num_distinct, seed):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((num_distinct, 3))  # fewer points than items, so that many compete for a leaf
    vectors = points[rng.integers(num_distinct, size=num_items + 1)].astype(np.float32)
    num_leaves = max(1, round(share * num_items))
    leaves = balanced_leaves(vectors, num_leaves)
    assert sorted(leaves.rows[leaves.rows > 0].tolist()) == list(range(1, num_items + 1))
    assert leaves.rows.shape[0] == num_leaves
    assert leaves.rows.shape[1] == math.ceil(math.ceil(SLACK * num_items) / num_leaves)
    assert leaves.centres.dtype == np.float32
    assert np.isfinite(leaves.centres).all()


def test_leaves_hold_items_that_are_near_to_each_other(world):
    leaves = balanced_leaves(world.items, 40)
    distances = 0.0
    for centre, rows in zip(leaves.centres, leaves.rows, strict=True):
        members = world.items[rows[rows > 0]]
        np.testing.assert_allclose(centre, members.mean(axis=0), atol=1e-5)
        distances += np.square(members - centre).sum()
    items = world.items[1:]
    assert distances < 0.4 * np.square(items - items.mean(axis=0)).sum()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_leaves(world, seed):
    first, second = (balanced_leaves(world.items, 50, seed) for _ in range(2))
    np.testing.assert_array_equal(first.rows, second.rows)
