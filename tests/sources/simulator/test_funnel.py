"""The funnel, its feedback and the oracle on hand-made affinities."""

import dataclasses

import numpy as np
import pytest

from sources.simulator.config import SimulatorConfig
from sources.simulator.feedback import draw_feedback
from sources.simulator.funnel import run_funnel
from sources.simulator.oracle import Oracle
from sources.simulator.world import World

NUM_ITEMS = 300


@pytest.fixture
def affinity() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.permuted(np.tile(np.arange(NUM_ITEMS), (20, 1)), axis=1) / NUM_ITEMS).astype(np.float32)


@pytest.fixture
def exact(small_world_config: SimulatorConfig) -> SimulatorConfig:
    return dataclasses.replace(
        small_world_config, recall_noise=0, prerank_noise=0, coarse_noise=0, rank_noise=0, rerank_noise=0
    )


def true_rank(affinity: np.ndarray, item: np.ndarray) -> np.ndarray:
    """1 = the best item of the row."""
    order = np.argsort(np.argsort(-affinity, axis=1), axis=1)
    return np.take_along_axis(order, item, axis=1) + 1


def test_without_noise_every_stage_keeps_the_best(affinity: np.ndarray, exact: SimulatorConfig) -> None:
    logged = run_funnel(affinity, exact, np.random.default_rng(1))
    rank = true_rank(affinity, logged.item)
    np.testing.assert_array_equal(rank[:, :20], np.tile(np.arange(1, 21), (20, 1)))
    np.testing.assert_array_equal(logged.rank_index[:, :20], rank[:, :20])
    np.testing.assert_array_equal(logged.rank_index[:, 20:30], rank[:, 20:30])
    np.testing.assert_array_equal(logged.rank_index[:, 30:], 0)
    np.testing.assert_array_equal(logged.rerank_index[:, :20], rank[:, :20])
    np.testing.assert_array_equal(logged.rerank_index[:, 20:], 0)
    for columns, first, last in ((slice(20, 30), 21, 60), (slice(30, 40), 61, 90), (slice(40, 50), 91, 120)):
        assert rank[:, columns].min() >= first
        assert rank[:, columns].max() <= last


def test_with_noise_items_are_distinct_and_positions_consistent(
    affinity: np.ndarray, small_world_config: SimulatorConfig
) -> None:
    logged = run_funnel(affinity, small_world_config, np.random.default_rng(1))
    assert all(len(set(row)) == 50 for row in logged.item.tolist())
    np.testing.assert_array_equal(np.sort(logged.rank_index[:, :20], axis=1), np.tile(np.arange(1, 21), (20, 1)))
    assert (logged.rank_pos.sum(axis=1) == 10).all()
    assert not np.array_equal(logged.rank_index[:, :20], logged.rerank_index[:, :20])
    np.testing.assert_array_equal(logged.affinity, np.take_along_axis(affinity, logged.item, axis=1))


def test_unavailable_items_never_pass(affinity: np.ndarray, small_world_config: SimulatorConfig) -> None:
    affinity[:, :150] = -np.inf
    logged = run_funnel(affinity, small_world_config, np.random.default_rng(1))
    assert logged.item.min() >= 150


def test_oracle_of_a_funnel_without_noise_is_perfect(affinity: np.ndarray, exact: SimulatorConfig) -> None:
    oracle = Oracle()
    oracle.add(affinity, run_funnel(affinity, exact, np.random.default_rng(1)))
    perfect = {"10": 1.0, "20": 1.0, "50": 1.0, "100": 1.0}
    assert oracle.recall() == {"rank_pos": perfect, "rerank_pos": perfect}


def test_oracle_counts_what_the_true_top_k_holds(affinity: np.ndarray, small_world_config: SimulatorConfig) -> None:
    logged = run_funnel(affinity, small_world_config, np.random.default_rng(1))
    rank = true_rank(affinity, logged.item)
    parts = [Oracle(), Oracle()]
    for part, rows in zip(parts, (slice(0, 5), slice(5, 20)), strict=True):
        part.add(
            affinity[rows],
            dataclasses.replace(
                logged, **{field.name: getattr(logged, field.name)[rows] for field in dataclasses.fields(logged)}
            ),
        )
    recall = Oracle.merge(parts).recall()
    for cut in (10, 20, 50, 100):
        assert recall["rank_pos"][str(cut)] == pytest.approx((rank[logged.rank_pos] <= cut).mean(), abs=1e-6)
        assert recall["rerank_pos"][str(cut)] == pytest.approx((rank[:, :10] <= cut).mean(), abs=1e-6)
    assert recall["rank_pos"]["10"] < recall["rank_pos"]["50"] < 1


def test_feedback_follows_the_watched_share(small_world_config: SimulatorConfig) -> None:
    world = World(small_world_config)
    rng = np.random.default_rng(2)
    logged = run_funnel(rng.random((500, NUM_ITEMS), dtype=np.float32), small_world_config, rng)
    logged = dataclasses.replace(logged, affinity=np.tile(np.linspace(1.4, 0.4, 50, dtype=np.float32), (500, 1)))
    logged = dataclasses.replace(logged, affinity=rng.permuted(logged.affinity, axis=1))
    feedback = draw_feedback(logged, world.items, small_world_config, rng)
    duration = world.items.duration_ms[logged.item[:, :6]]
    np.testing.assert_array_equal(feedback["effective_view"], 10 * feedback["playing_time"] >= 3 * duration)
    np.testing.assert_array_equal(feedback["long_view"], feedback["playing_time"] >= duration)
    assert feedback["playing_time"].shape == (500, 6)
    assert 0 < feedback["like"].mean() < feedback["long_view"].mean() < feedback["effective_view"].mean() < 1
    better = logged.affinity[:, :6] > np.median(logged.affinity[:, :6])
    assert feedback["long_view"][better].mean() > feedback["long_view"][~better].mean() + 0.1
