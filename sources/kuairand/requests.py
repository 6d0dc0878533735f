"""Turns exposures into request records."""

import dataclasses
import datetime
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sources.adapter import Count, Record
from sources.kuairand.exposures import GRADE_UNEXPOSED, Exposures
from sources.kuairand.features import UserFeatures
from sources.kuairand.negatives import NegativeSampler

STAGE_UNEXPOSED, STAGE_EXPOSED, STAGE_LONG_VIEW = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class ListSizes:
    """How a request's list is made up.

    Args:
      history: events kept per request, the latest ones.
      exposures: most exposures in one list; a user's longer day becomes several requests.
      popular: unexposed items drawn by their number of exposures.
      uniform: unexposed items drawn uniformly.
    """

    history: int
    exposures: int
    popular: int
    uniform: int


class ExposedList(NamedTuple):
    """The distinct videos of one list, in the order of their first exposure.

    Args:
      videos: `[n]` rows of the catalogue.
      grades: `[n]` best grades.
      long_views: `[n]` whether viewed long.
    """

    videos: np.ndarray
    grades: np.ndarray
    long_views: np.ndarray


@dataclasses.dataclass(frozen=True)
class RequestBuilder:
    """Builds the requests of one day.

    Args:
      exposures: all exposures up to the day or later.
      users: user features.
      item_ids: `[V]` item id of every catalogue row.
      sizes: how a list is made up.
      time_zone: zone of the days.
      day: the ISO day.
      has_time: false where the exposures of the day have an order only: then each list's history includes the user's
        earlier lists of the day. Otherwise nothing of the day is in the history.
    """

    exposures: Exposures
    users: UserFeatures
    item_ids: np.ndarray
    sizes: ListSizes
    time_zone: datetime.tzinfo
    day: datetime.date
    has_time: bool

    def build(self, index: int, count: int, seed: int, policy_count: Count) -> Iterator[Record]:
        """Yields the requests of the users whose id is `index` modulo `count`, by user and time."""
        ordinal = self.day.toordinal()
        generator = np.random.default_rng([seed, ordinal, index])
        popular, uniform = self._samplers(ordinal)
        rows = np.flatnonzero((self.exposures.day == ordinal) & (self.exposures.user % count == index))
        users, starts = np.unique(self.exposures.user[rows], return_index=True)
        ends = rows[np.append(starts[1:], len(rows)) - 1] + 1 if len(rows) else rows
        for user, start, end in zip(users, rows[starts], ends, strict=True):
            first = int(np.searchsorted(self.exposures.user, user))
            known = int(np.searchsorted(self.users.user_ids, user))
            has_features = known < len(self.users.user_ids) and self.users.user_ids[known] == user
            features = self.users.records[known] if has_features else self.users.unknown
            if not has_features:
                policy_count("users_without_features", 1)
            lists = self._lists(int(start), int(end))
            if len(lists) > 1:
                policy_count("user_days_split_into_lists", 1)
            for part, (history_end, exposed) in enumerate(lists):
                exclude = np.unique(self.exposures.video[first:history_end])
                met = self.exposures.video[first:end] if self.has_time else exposed.videos
                seen = np.union1d(exclude, met)
                negatives = popular.draw(self.sizes.popular, seen, generator)
                seen = np.union1d(seen, negatives)
                negatives = np.concatenate([negatives, uniform.draw(self.sizes.uniform, seen, generator)])
                yield {
                    "request_id": [f"{user}-{self.day:%Y%m%d}-{part}"],
                    "user_id": [str(user)],
                    "request_time_ms": [self._time_ms(int(start))],
                    **features,
                    **self._history(first, history_end),
                    **self._candidates(exposed, negatives),
                    **({"exclude_item_id": self.item_ids[exclude].tolist()} if len(exclude) else {}),
                }

    def _samplers(self, ordinal: int) -> tuple[NegativeSampler, NegativeSampler]:
        past = self.exposures.video[self.exposures.day <= ordinal]
        exposed = np.bincount(past, minlength=len(self.item_ids))
        return NegativeSampler(exposed + 1.0), NegativeSampler(np.ones(len(self.item_ids)))

    def _lists(self, start: int, end: int) -> list[tuple[int, ExposedList]]:
        """Splits a user's day `[start, end)` into lists, each with the end of its history."""
        size = self.sizes.exposures
        if not self.has_time:
            return [(at, self._merge(at, min(at + size, end))) for at in range(start, end, size)]
        merged = self._merge(start, end)
        parts = range(0, len(merged.videos), size)
        return [(start, ExposedList(*(values[at : at + size] for values in merged))) for at in parts]

    def _merge(self, start: int, end: int) -> ExposedList:
        videos, first, inverse = np.unique(self.exposures.video[start:end], return_index=True, return_inverse=True)
        grades = np.zeros(len(videos), np.int64)
        np.maximum.at(grades, inverse, self.exposures.grade[start:end])
        long_views = np.zeros(len(videos), bool)
        np.logical_or.at(long_views, inverse, self.exposures.long_view[start:end])
        order = np.argsort(first)
        return ExposedList(videos[order], grades[order], long_views[order])

    def _time_ms(self, start: int) -> int:
        if self.has_time:
            return int(self.exposures.time_ms[start])
        midnight = datetime.datetime.combine(self.day, datetime.time(), self.time_zone)
        return int(midnight.timestamp() * 1000)

    def _history(self, first: int, end: int) -> Record:
        first = max(first, end - self.sizes.history)
        if first == end:
            return {}
        return {
            "history_item_id": self.item_ids[self.exposures.video[first:end]].tolist(),
            "history_grade": self.exposures.grade[first:end].tolist(),
            "history_age_days": (self.day.toordinal() - self.exposures.day[first:end]).tolist(),
        }

    def _candidates(self, exposed: ExposedList, negatives: np.ndarray) -> Record:
        rows = np.concatenate([exposed.videos, negatives])
        stages = np.where(exposed.long_views, STAGE_LONG_VIEW, STAGE_EXPOSED).tolist()
        unexposed = len(negatives)
        return {
            "candidate_item_id": self.item_ids[rows].tolist(),
            "candidate_stage": stages + [STAGE_UNEXPOSED] * unexposed,
            "candidate_rank": [0] * len(rows),
            "candidate_label": exposed.grades.astype(float).tolist() + [float(GRADE_UNEXPOSED)] * unexposed,
        }
