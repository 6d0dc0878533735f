"""The requests of one simulated day, hour by hour."""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from sources.simulator.config import SimulatorConfig
from sources.simulator.feedback import draw_feedback
from sources.simulator.funnel import run_funnel
from sources.simulator.histories import Histories
from sources.simulator.world import DEVICES_PER_USER, HOURS, MS_PER_HOUR, Users, World
from sources.simulator.writer import LoggedRequests

# Share of a day's requests in each hour: a quiet night, a peak at noon, a high evening.
_HOUR_WEIGHTS = (3, 2, 1, 1, 1, 1, 2, 3, 4, 4, 4, 5, 7, 6, 5, 4, 4, 5, 6, 7, 9, 9, 7, 5)


@dataclasses.dataclass(frozen=True)
class SimulatedRequests:
    """B requests and the truth behind them.

    Args:
      requests: what is logged.
      affinity: true affinity of every item, float32 `[B, N]`.
    """

    requests: LoggedRequests
    affinity: np.ndarray


def simulate_day(world: World, histories: Histories, index: int) -> Iterator[SimulatedRequests]:
    """Yields the requests of the day `index` in time order, a bounded number at once.

    What a user watches reaches `histories` at the next full hour.
    """
    config = world.config
    rng = np.random.default_rng([config.seed, 3, index])
    contexts = _draw_contexts(config, world.users, index, rng)
    hours = config.midnight_ms(index) + MS_PER_HOUR * np.arange(HOURS + 1)
    bounds = np.searchsorted(contexts["request_timestamp"], hours)
    for hour_start, hour_end in itertools.pairwise(bounds):
        watched = []
        for start in range(hour_start, hour_end, world.requests_at_once):
            rows = slice(start, min(start + world.requests_at_once, hour_end))
            part = {name: values[rows] for name, values in contexts.items()}
            affinity = world.affinity(part["user_id"], part["request_timestamp"])
            logged = run_funnel(affinity, config, rng)
            feedback = draw_feedback(logged, world.items, config, rng)
            requests = LoggedRequests(part, histories.of(part["user_id"]), logged, feedback)
            watched.append(requests)
            yield SimulatedRequests(requests, affinity)
        for requests in watched:
            _remember(histories, requests)


def _draw_contexts(
    config: SimulatorConfig, users: Users, index: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Returns the context columns of the day's requests in time order."""
    num_requests = config.requests_per_day
    weights = np.array(_HOUR_WEIGHTS) / sum(_HOUR_WEIGHTS)
    hour = rng.choice(HOURS, num_requests, p=weights)
    time_ms = config.midnight_ms(index) + MS_PER_HOUR * hour + rng.integers(0, MS_PER_HOUR, num_requests)
    user = rng.choice(config.num_users, num_requests, p=users.activity)
    return {
        "request_id": index * num_requests + np.arange(num_requests),
        "user_id": user,
        "request_timestamp": np.sort(time_ms),
        "device_id": DEVICES_PER_USER * user + (rng.random(num_requests) < 0.2),
        "age": users.age[user],
        "gender": users.gender[user],
        "province": users.province[user],
    }


def _remember(histories: Histories, requests: LoggedRequests) -> None:
    row, column = np.nonzero(requests.feedback["effective_view"])
    histories.add(
        users=requests.contexts["user_id"][row],
        item=requests.logged.item[row, column],
        time_ms=requests.contexts["request_timestamp"][row],
        playing_time_ms=requests.feedback["playing_time"][row, column],
        request=requests.contexts["request_id"][row],
    )
