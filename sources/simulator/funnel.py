"""The multi-stage funnel that answers a request: each stage ranks what the one before it passed on."""

import dataclasses

import numpy as np

from sources.recflow.layout import GROUP_SIZE
from sources.simulator.config import RERANK_SIZE, SimulatorConfig

GROUPS = ("rerank_pos", "rerank_neg", "rank_neg", "coarse_neg", "prerank_neg")
"""The logged groups, ten columns each, in the order of `Logged.item`."""

NUM_LOGGED = len(GROUPS) * GROUP_SIZE


@dataclasses.dataclass(frozen=True)
class Logged:
    """What the funnel logs of B requests.

    Args:
      item: item indices, int64 `[B, 50]`: ten of each of `GROUPS`; the first twenty best first by re-rank, the
        others drawn from what their stage dropped.
      affinity: true affinity of `item`, float32 `[B, 50]`.
      rank_index: position in the rank stage from 1, 0 = it did not come so far, int64 `[B, 50]`.
      rerank_index: the same in the re-rank stage, int64 `[B, 50]`.
    """

    item: np.ndarray
    affinity: np.ndarray
    rank_index: np.ndarray
    rerank_index: np.ndarray

    @property
    def rank_pos(self) -> np.ndarray:
        """The rank stage's ten best, bool `[B, 50]`."""
        return (self.rank_index > 0) & (self.rank_index <= GROUP_SIZE)


def run_funnel(affinity: np.ndarray, config: SimulatorConfig, rng: np.random.Generator) -> Logged:
    """Passes the catalogue through every stage.

    A stage sees the true affinity plus an error of its own, smaller in later stages.

    Args:
      affinity: true affinity of every item, float32 `[B, N]`; minus infinity = not available.
      config: capacities and noises.
      rng: source of the stages' errors.
    """
    noisy = affinity + _noise(rng, affinity.shape, config.recall_noise)
    recalled = np.sort(np.argpartition(noisy, -config.recall_size)[:, -config.recall_size :])
    preranked, prerank_dropped = _stage(recalled, affinity, config.prerank_size, config.prerank_noise, rng)
    coarse, coarse_dropped = _stage(preranked, affinity, config.coarse_size, config.coarse_noise, rng)
    ranked, rank_dropped = _stage(coarse, affinity, RERANK_SIZE, config.rank_noise, rng)
    best, rest = _stage(ranked, affinity, GROUP_SIZE, config.rerank_noise, rng)
    reranked = np.concatenate([best, rest], axis=1)
    rank_neg, rank_neg_position = _draw(rank_dropped, rng)
    item = np.concatenate([reranked, rank_neg, _draw(coarse_dropped, rng)[0], _draw(prerank_dropped, rng)[0]], axis=1)
    rank_index = np.zeros_like(item)
    rank_index[:, :RERANK_SIZE] = _positions(ranked, reranked)
    rank_index[:, RERANK_SIZE : RERANK_SIZE + GROUP_SIZE] = RERANK_SIZE + 1 + rank_neg_position
    rerank_index = np.zeros_like(item)
    rerank_index[:, :RERANK_SIZE] = np.arange(1, RERANK_SIZE + 1)
    return Logged(item, np.take_along_axis(affinity, item, axis=1), rank_index, rerank_index)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise *= np.float32(deviation)
    return noise


def _stage(
    items: np.ndarray, affinity: np.ndarray, size: int, noise: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the `size` items that the stage keeps and those that it drops, each best first."""
    score = np.take_along_axis(affinity, items, axis=1) + _noise(rng, items.shape, noise)
    ordered = np.take_along_axis(items, np.argsort(-score, axis=1, kind="stable"), axis=1)
    return ordered[:, :size], ordered[:, size:]


def _draw(dropped: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns ten random items of each row, in the row's order, and their positions in it."""
    keys = rng.random(dropped.shape, dtype=np.float32)
    position = np.sort(np.argsort(keys, axis=1, kind="stable")[:, :GROUP_SIZE], axis=1)
    return np.take_along_axis(dropped, position, axis=1), position


def _positions(ordered: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Returns the 1-based position in `ordered` of each of `items`, a permutation of it."""
    order, wanted = np.argsort(ordered, axis=1), np.argsort(items, axis=1)
    positions = np.empty_like(items)
    np.put_along_axis(positions, wanted, order + 1, axis=1)
    return positions
