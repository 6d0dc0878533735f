"""The latest effective views of every user."""

import numpy as np

from sources.recflow.layout import HISTORY_SIZE, HistoryColumn
from sources.simulator.world import MS_PER_DAY, Items, World

WARM_UP_DAYS = 7
NO_REQUEST = -1
"""Request of the events before the first logged day."""

_WARM_UP_NOISE = 0.15


class Histories:
    """A ring of the last 50 effective views per user, oldest first and right-aligned.

    Args:
      num_users: number of users, U.
      items: features that are copied into an event.
    """

    def __init__(self, num_users: int, items: Items) -> None:
        self._events = np.zeros((num_users, HISTORY_SIZE, len(HistoryColumn)), np.int64)
        self._items = items

    def of(self, users: np.ndarray) -> np.ndarray:
        """Returns a copy of the histories, int64 `[B, 50, 10]`."""
        return self._events[users]

    def add(
        self,
        users: np.ndarray,
        item: np.ndarray,
        time_ms: np.ndarray,
        playing_time_ms: np.ndarray,
        request: np.ndarray,
    ) -> None:
        """Appends events, all `[M]`, later than those already there; events of one moment stay in order."""
        if not len(users):
            return
        order = np.lexsort((time_ms, users))
        users = users[order]
        columns = [np.zeros(0, np.int64)] * len(HistoryColumn)
        columns[HistoryColumn.VIDEO] = item
        columns[HistoryColumn.AUTHOR] = self._items.author[item]
        columns[HistoryColumn.CATEGORY_LEVEL_TWO] = self._items.category_level_two[item]
        columns[HistoryColumn.CATEGORY_LEVEL_ONE] = self._items.category_level_one[item]
        columns[HistoryColumn.UPLOAD_TYPE] = self._items.upload_type[item]
        columns[HistoryColumn.UPLOAD_TIME_S] = self._items.upload_time_s[item]
        columns[HistoryColumn.DURATION_MS] = self._items.duration_ms[item]
        columns[HistoryColumn.REQUEST_TIME_MS] = time_ms
        columns[HistoryColumn.PLAYING_TIME_MS] = playing_time_ms
        columns[HistoryColumn.REQUEST] = request
        rows = np.stack(columns, axis=1)[order]
        affected, start, num_new = np.unique(users, return_index=True, return_counts=True)
        from_end = (start + num_new).repeat(num_new) - 1 - np.arange(len(users))
        # Shift each affected user's events left by the number of new ones, then fill the freed places.
        source = np.arange(HISTORY_SIZE) + np.minimum(num_new, HISTORY_SIZE)[:, None]
        kept = np.take_along_axis(self._events[affected], np.minimum(source, HISTORY_SIZE - 1)[:, :, None], axis=1)
        self._events[affected] = kept
        fits = from_end < HISTORY_SIZE
        self._events[users[fits], HISTORY_SIZE - 1 - from_end[fits]] = rows[fits]


def warm_up(world: World) -> Histories:
    """Returns histories from the week before the first day, as the users' first interests made them."""
    config = world.config
    rng = np.random.default_rng([config.seed, 2])
    histories = Histories(config.num_users, world.items)
    size = min(config.initial_history_size, HISTORY_SIZE)
    if not size:
        return histories
    first_ms = config.midnight_ms(0) - WARM_UP_DAYS * MS_PER_DAY
    for start in range(0, config.num_users, world.requests_at_once):
        users = np.arange(start, min(start + world.requests_at_once, config.num_users))
        affinity = world.affinity(users, np.full(len(users), first_ms))
        affinity += np.float32(_WARM_UP_NOISE) * rng.standard_normal(affinity.shape, dtype=np.float32)
        item = np.sort(np.argpartition(affinity, -size)[:, -size:])
        item = rng.permuted(item, axis=1)
        time_ms = np.sort(first_ms + 1 + rng.integers(0, WARM_UP_DAYS * MS_PER_DAY - 1, item.shape), axis=1)
        playing_time_ms = world.items.duration_ms[item] * rng.integers(30, 120, item.shape) // 100
        happened = np.arange(size) < rng.integers(0, size + 1, (len(users), 1))
        happened &= np.isfinite(np.take_along_axis(affinity, item, axis=1))  # uploaded by then
        user_of = np.broadcast_to(users[:, None], item.shape)
        histories.add(
            user_of[happened],
            item[happened],
            time_ms[happened],
            playing_time_ms[happened],
            np.full(int(happened.sum()), NO_REQUEST),
        )
    return histories
