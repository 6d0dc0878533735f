"""What a simulated world looks like."""

import dataclasses
import datetime

from sources.reading import is_iso_day, read_time_zone
from sources.recflow.layout import GROUP_SIZE

RERANK_SIZE = 2 * GROUP_SIZE
"""Items that the rank stage passes on: ten become rerank_pos and ten rerank_neg."""


@dataclasses.dataclass(frozen=True)
class SimulatorConfig:
    """A world of users and items, and the funnel that logs it. Equal configurations give equal bytes.

    An affinity of 1 is a perfect match of an interest and an item; weights and noises are on that scale.

    Args:
      num_users: users; some are far more active than others.
      num_items: items ever uploaded.
      num_days: days logged.
      requests_per_day: requests of each day.
      seed: of everything random.
      start_day: first ISO day, in `time_zone`.
      time_zone: IANA zone of the days.
      latent_dim: length of the latent vectors.
      num_interests: interests of a user; an item appeals through the one that it matches best.
      num_categories_level_one: coarse categories.
      num_categories_level_two: fine categories, each inside one coarse category.
      items_per_author: average number of items of an author, who stays in one fine category.
      new_item_share: share of the items that are uploaded during the logged days.
      popularity_weight: standard deviation of an item's general appeal.
      recency_weight: appeal of an item at its upload; it fades to zero in three days.
      daypart_weight: how much a fine category's appeal changes between night, morning, day and evening.
      drift: how far an interest moves in a day.
      switch_rate: probability that an interest is replaced by a new one in a day.
      initial_history_size: most events in a user's history before the first day.
      recall_size: items that retrieval takes from the catalogue.
      prerank_size: items that the pre-rank stage passes on.
      coarse_size: items that the coarse stage passes on.
      realshow_size: items shown after re-ranking.
      recall_noise: standard deviation of retrieval's error about the true affinity.
      prerank_noise: the same of the pre-rank stage.
      coarse_noise: the same of the coarse stage.
      rank_noise: the same of the rank stage.
      rerank_noise: the same of the re-rank stage.

    Raises:
      ValueError: an argument is out of range.
    """

    num_users: int = 1000
    num_items: int = 4000
    num_days: int = 5
    requests_per_day: int = 2500
    seed: int = 0
    start_day: str = "2024-01-13"
    time_zone: str = "Asia/Shanghai"
    latent_dim: int = 16
    num_interests: int = 3
    num_categories_level_one: int = 8
    num_categories_level_two: int = 40
    items_per_author: int = 8
    new_item_share: float = 0.15
    popularity_weight: float = 0.06
    recency_weight: float = 0.08
    daypart_weight: float = 0.1
    drift: float = 0.2
    switch_rate: float = 0.04
    initial_history_size: int = 40
    recall_size: int = 600
    prerank_size: int = 300
    coarse_size: int = 100
    realshow_size: int = 6
    recall_noise: float = 0.2
    prerank_noise: float = 0.16
    coarse_noise: float = 0.12
    rank_noise: float = 0.08
    rerank_noise: float = 0.05

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int and field.name not in ("seed", "initial_history_size"):
                _check(value >= 1, field.name, value, "at least 1")
            elif field.type in (int, float):
                _check(value >= 0, field.name, value, "at least 0")
        for name in ("new_item_share", "switch_rate"):
            _check(getattr(self, name) <= 1, name, getattr(self, name), "at most 1")
        self._check_funnel()
        self._check_time()

    def _check_funnel(self) -> None:
        _check(
            self.num_categories_level_two >= self.num_categories_level_one,
            "num_categories_level_two",
            self.num_categories_level_two,
            f"at least num_categories_level_one={self.num_categories_level_one}",
        )
        _check(
            self.realshow_size <= GROUP_SIZE,
            "realshow_size",
            self.realshow_size,
            f"at most {GROUP_SIZE}, the items that re-ranking keeps",
        )
        # Every stage drops at least the ten items that are logged as its negatives.
        smallest = RERANK_SIZE + GROUP_SIZE
        for name in ("coarse_size", "prerank_size", "recall_size"):
            size = getattr(self, name)
            _check(size >= smallest, name, size, f"at least {smallest}, ten more than the next stage takes")
            smallest = size + GROUP_SIZE
        num_at_start = self.num_items - self.num_new_items
        _check(
            self.recall_size <= num_at_start,
            "recall_size",
            self.recall_size,
            f"at most the {num_at_start} items that are uploaded before the first day",
        )

    def _check_time(self) -> None:
        _check(is_iso_day(self.start_day), "start_day", repr(self.start_day), "an ISO day such as '2024-01-13'")
        read_time_zone(self.time_zone)

    @property
    def num_requests(self) -> int:
        return self.num_days * self.requests_per_day

    @property
    def num_new_items(self) -> int:
        return round(self.num_items * self.new_item_share)

    def day(self, index: int) -> str:
        """Returns the ISO day with that index."""
        return (datetime.date.fromisoformat(self.start_day) + datetime.timedelta(days=index)).isoformat()

    def midnight_ms(self, index: int) -> int:
        """Returns the Unix milliseconds at which the day with that index starts."""
        day = datetime.date.fromisoformat(self.day(index))
        midnight = datetime.datetime.combine(day, datetime.time(), tzinfo=read_time_zone(self.time_zone))
        return int(midnight.timestamp() * 1000)


def _check(is_good: bool, name: str, value: object, expected: str) -> None:
    if not is_good:
        raise ValueError(f"`{name}` must be {expected}. Received: {name}={value}")
