"""A small world whose requests are logged by a funnel: the data of `benchmarks.toy`."""

import dataclasses
from typing import NamedTuple

import numpy as np

GROUND_TRUTH_SIZE = 10
NUM_LOGGED_STAGES = 4
LIST_SIZE = GROUND_TRUTH_SIZE * NUM_LOGGED_STAGES
_INVENTORY = 100
# Ranks of the inventory that each logged stage but the last cut, from the deepest to the first.
_CUT_RANKS = ((10, 30), (30, 60), (60, _INVENTORY))
# Labels as the paper's public code has them: the ground truth by its rank, every other logged stage one value.
LABELS = np.concatenate([np.arange(29, 19, -1), np.repeat([7, 6, 5], GROUND_TRUTH_SIZE)]).astype(np.float32)
CANDIDATE_STAGE = np.repeat(np.arange(NUM_LOGGED_STAGES - 1, -1, -1), GROUND_TRUTH_SIZE).astype(np.int32)


@dataclasses.dataclass(frozen=True)
class World:
    """Users like an item for `num_tastes` reasons, which two stages can only see in part.

    The utility of an item is `Σ_d λ_d·u_d·v_d`, with `u` and `v` standard normal and the strengths `λ_d` uniform in
    `strengths`. The funnel that logs the requests ranks an inventory of 100 items by the utility plus noise.

    Args:
      num_tastes: reasons to like an item, `D`.
      seen_tastes: of those, how many ranking has a feature for, `u_d·v_d` each. It is blind to the rest.
      retrieval_dim: width of retrieval's user and item vectors. It sees all of `u` and `v`, but the dot product has
        room for so many tastes only.
      noise: standard deviation of the noise of the logging funnel; that of the utility is about `√num_tastes`.
      strengths: range of the strengths of the tastes.
    """

    num_tastes: int = 12
    seen_tastes: int = 8
    retrieval_dim: int = 6
    noise: float = 0.5
    strengths: tuple[float, float] = (0.75, 1.25)


class Requests(NamedTuple):
    """Logged requests; the items of a list stand in the order of `LABELS` and `CANDIDATE_STAGE`.

    Args:
      users: float32 `[num_requests, num_tastes]`.
      items: float32 `[num_requests, LIST_SIZE, num_tastes]`.
    """

    users: np.ndarray
    items: np.ndarray


def draw_strengths(world: World, seed: int) -> np.ndarray:
    """Returns the strengths of the tastes, `[num_tastes]`, of the world of a seed."""
    return np.random.default_rng([seed, 0]).uniform(*world.strengths, world.num_tastes).astype(np.float32)


def draw_requests(world: World, seed: int, num_requests: int, *, held_out: bool = False) -> Requests:
    """Logs requests in the world of a seed.

    Args:
      world: the world.
      seed: of the strengths and of the requests.
      num_requests: how many to log.
      held_out: whether to draw requests that no training set holds.

    Returns:
      The requests.
    """
    rng = np.random.default_rng([seed, 2 if held_out else 1])
    users = rng.standard_normal((num_requests, world.num_tastes), np.float32)
    items = rng.standard_normal((num_requests, _INVENTORY, world.num_tastes), np.float32)
    utility = np.einsum("rd,rid->ri", users * draw_strengths(world, seed), items)
    order = np.argsort(-(utility + world.noise * rng.standard_normal(utility.shape, np.float32)), axis=1)
    logged = [order[:, :GROUND_TRUTH_SIZE]]
    for first, last in _CUT_RANKS:
        drawn = np.argsort(rng.random((num_requests, last - first)), axis=1)[:, :GROUND_TRUTH_SIZE]
        logged.append(np.take_along_axis(order[:, first:last], drawn, axis=1))
    chosen = np.concatenate(logged, axis=1)
    return Requests(users, np.take_along_axis(items, chosen[..., np.newaxis], axis=1))
