"""The true affinity of a simulated world."""

import dataclasses

import numpy as np
import pytest

from sources.simulator.config import SimulatorConfig
from sources.simulator.world import MS_PER_DAY, World


@pytest.fixture
def world(small_world_config: SimulatorConfig) -> World:
    return World(small_world_config)


def at(world: World, users: np.ndarray, day: float) -> np.ndarray:
    return world.affinity(users, np.full(len(users), int(world.config.midnight_ms(0) + day * MS_PER_DAY)))


def test_items_cannot_be_liked_before_their_upload(world: World) -> None:
    time_ms = world.config.midnight_ms(0) + np.array([0, MS_PER_DAY])
    affinity = world.affinity(np.array([3, 3]), time_ms)
    uploaded = world.items.upload_time_s <= time_ms[:, None] // 1000
    np.testing.assert_array_equal(np.isfinite(affinity), uploaded)
    at_start, a_day_later = (~uploaded).sum(axis=1)
    assert at_start == 0.15 * 300
    assert 0 < a_day_later < at_start


def test_affinity_is_exact_whatever_the_batch(world: World) -> None:
    users = np.arange(30)
    together = at(world, users, 1.0)
    alone = np.concatenate([at(world, users[[user]], 1.0) for user in users])
    np.testing.assert_array_equal(together, alone)
    finite = together[np.isfinite(together)].astype(np.float64)
    np.testing.assert_array_equal(finite * 2**18, np.rint(finite * 2**18))


def test_affinity_is_the_best_matching_interest(small_world_config: SimulatorConfig) -> None:
    config = dataclasses.replace(
        small_world_config, popularity_weight=0, recency_weight=0, daypart_weight=0, new_item_share=0
    )
    world = World(config)
    interests = world._interest.reshape(30, 3, 16)
    expected = np.einsum("ukd,nd->ukn", interests, world.items.vector).max(axis=1)
    np.testing.assert_allclose(at(world, np.arange(30), 0.5), expected, atol=1e-6)


def test_recency_fades_in_three_days(small_world_config: SimulatorConfig) -> None:
    config = dataclasses.replace(small_world_config, recency_weight=0.5, daypart_weight=0)
    fresh, without = World(config), World(dataclasses.replace(config, recency_weight=0))
    users = np.array([0])
    age_days = (config.midnight_ms(1) // 1000 - fresh.items.upload_time_s) / 86_400
    known = age_days >= 0
    gain = at(fresh, users, 1.0)[0, known] - at(without, users, 1.0)[0, known]
    np.testing.assert_allclose(gain, 0.5 * np.maximum(1 - age_days[known] / 3, 0), atol=1e-5)


def test_interests_drift(world: World) -> None:
    users = np.arange(30)
    before = at(world, users, 0)
    world.drift(1)
    after = at(world, users, 0)
    known = np.isfinite(before)
    assert not np.array_equal(before[known], after[known])
    assert 0.5 < np.corrcoef(before[known], after[known])[0, 1] < 0.999


def test_categories_are_a_tree_and_authors_stay_in_one(world: World) -> None:
    items = world.items
    pairs = set(zip(items.category_level_two.tolist(), items.category_level_one.tolist(), strict=True))
    assert len(pairs) == len({two for two, _ in pairs})
    pairs = set(zip(items.author.tolist(), items.category_level_two.tolist(), strict=True))
    assert len(pairs) == len({author for author, _ in pairs})
