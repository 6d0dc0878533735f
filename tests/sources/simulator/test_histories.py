"""The rolling histories."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.recflow.layout import HistoryColumn
from sources.simulator.config import SimulatorConfig
from sources.simulator.histories import Histories, warm_up
from sources.simulator.world import World


@pytest.fixture
def world(small_world_config: SimulatorConfig) -> World:
    return World(small_world_config)


def videos(histories: Histories, user: int) -> list[int]:
    rows = histories.of(np.array([user]))[0]
    return rows[rows[:, HistoryColumn.REQUEST_TIME_MS] > 0][:, HistoryColumn.VIDEO].tolist()


def add(histories: Histories, *events: tuple[int, int, int]) -> None:
    users, item, time_ms = np.array(events, np.int64).T
    histories.add(users, item, time_ms, np.full(len(users), 100), np.full(len(users), 7))


def test_events_are_kept_per_user_oldest_first(world: World) -> None:
    histories = Histories(3, world.items)
    add(histories, (2, 5, 20), (0, 6, 30), (2, 7, 10), (2, 8, 20))
    add(histories, (2, 9, 40))
    assert videos(histories, 0) == [6]
    assert videos(histories, 1) == []
    assert videos(histories, 2) == [7, 5, 8, 9]
    last = histories.of(np.array([2]))[0, -1]
    assert last[HistoryColumn.REQUEST] == 7
    assert last[HistoryColumn.AUTHOR] == world.items.author[9]


@pytest.mark.parametrize("num_old", [0, 30, 50])
@pytest.mark.parametrize("num_new", [1, 20, 50, 70])
def test_only_the_latest_fifty_stay(world: World, num_old: int, num_new: int) -> None:
    histories = Histories(2, world.items)
    if num_old:
        add(histories, *[(1, item, item + 1) for item in range(num_old)])
    add(histories, *[(1, item, item + 1) for item in range(100, 100 + num_new)])
    expected = [*range(num_old), *range(100, 100 + num_new)][-50:]
    assert videos(histories, 1) == expected


def test_warm_up_precedes_the_first_day_and_shows_the_interests(world: World) -> None:
    users = np.arange(world.config.num_users)
    rows = warm_up(world).of(users)
    times = rows[:, :, HistoryColumn.REQUEST_TIME_MS]
    assert times.max() < world.config.midnight_ms(0)
    assert (np.diff(times, axis=1) >= 0).all()
    assert (rows[:, :, HistoryColumn.UPLOAD_TIME_S] * 1000 <= times).all()
    affinity = world.affinity(users, np.full(len(users), world.config.midnight_ms(0)))
    watched = np.take_along_axis(affinity, rows[:, :, HistoryColumn.VIDEO], axis=1)[times > 0].mean()
    assert watched > affinity[np.isfinite(affinity)].mean() + 0.3


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 299)), max_size=120), max_size=4))
def test_equals_a_plain_list_per_user(
    small_world_config: SimulatorConfig, batches: list[list[tuple[int, int]]]
) -> None:
    histories = Histories(4, World(small_world_config).items)
    expected: dict[int, list[int]] = {user: [] for user in range(4)}
    for moment, batch in enumerate(batches, start=1):
        if batch:
            add(histories, *[(user, item, moment) for user, item in batch])
        for user, item in batch:
            expected[user] = [*expected[user], item][-50:]
    assert {user: videos(histories, user) for user in range(4)} == expected
