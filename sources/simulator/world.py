"""The users and items of a simulated world, and how much one likes the other.

Latent vectors and weights are multiples of a power of two, so that every affinity is an exact float32, equal on
every machine and with any number of threads.
"""

import dataclasses

import numpy as np

from sources.simulator.config import SimulatorConfig

HOURS = 24
MS_PER_HOUR = 3_600_000
MS_PER_DAY = HOURS * MS_PER_HOUR
S_PER_DAY = 86_400
FADE_DAYS = 3
BACKLOG_DAYS = 30
HOURS_PER_DAYPART = 6
NUM_PROVINCES = 30
NUM_AGES = 7
NUM_GENDERS = 3
NUM_UPLOAD_TYPES = 6
DEVICES_PER_USER = 2
AFFINITIES_AT_ONCE = 4_000_000
"""Bounds the memory: requests are simulated in parts of that many (request, item) pairs."""

_VECTOR_GRID = 2.0**-9
_WEIGHT_GRID = 2.0**-18


def _stream(config: SimulatorConfig, *purpose: int) -> np.random.Generator:
    return np.random.default_rng([config.seed, *purpose])


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Returns the vectors with length 1, on the grid."""
    unit = vectors / np.sqrt(np.square(vectors).sum(axis=-1, keepdims=True))
    return (np.rint(unit / _VECTOR_GRID) * _VECTOR_GRID).astype(np.float32)


def _weights(values: np.ndarray) -> np.ndarray:
    return (np.rint(values / _WEIGHT_GRID) * _WEIGHT_GRID).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Items:
    """The items, N of them; the item's index is its id.

    Args:
      vector: float32 `[N, D]`.
      appeal: float32 `[N]`, liked by everybody.
      author, category_level_one, category_level_two, upload_type, upload_time_s, duration_ms: int64 `[N]`.
    """

    vector: np.ndarray
    appeal: np.ndarray
    author: np.ndarray
    category_level_one: np.ndarray
    category_level_two: np.ndarray
    upload_type: np.ndarray
    upload_time_s: np.ndarray
    duration_ms: np.ndarray


@dataclasses.dataclass(frozen=True)
class Users:
    """The users, U of them; the user's index is the id.

    Args:
      activity: float64 `[U]`, probability that a request is this user's.
      age, gender, province: int64 `[U]`.
      taste: float64 `[U, C]`, probability of each fine category as an interest.
    """

    activity: np.ndarray
    age: np.ndarray
    gender: np.ndarray
    province: np.ndarray
    taste: np.ndarray


class World:
    """Users, items and the true affinity between them, which drifts from day to day.

    Args:
      config: the world's sizes, weights and seed.
    """

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        rng = _stream(config, 0)
        num_one, num_two = config.num_categories_level_one, config.num_categories_level_two
        parent = np.concatenate([np.arange(num_one), rng.integers(0, num_one, num_two - num_one)])
        coarse = rng.standard_normal((num_one, config.latent_dim))
        self._centre = coarse[parent] + rng.standard_normal((num_two, config.latent_dim))
        self._centre /= np.linalg.norm(self._centre, axis=1, keepdims=True)
        share = 1 / np.arange(2, num_two + 2)
        share /= share.sum()
        self.items = self._make_items(rng, parent, share)
        self.users = self._make_users(rng, share)
        self._daypart = _weights(config.daypart_weight * rng.standard_normal((HOURS // HOURS_PER_DAYPART, num_two)))
        self._interest = self._new_interests(rng, np.repeat(np.arange(config.num_users), config.num_interests))

    def _make_items(self, rng: np.random.Generator, parent: np.ndarray, share: np.ndarray) -> Items:
        config = self.config
        num_authors = max(len(share), config.num_items // config.items_per_author)
        spread = 1 / np.sqrt(config.latent_dim)
        category_of = np.concatenate([np.arange(len(share)), rng.choice(len(share), num_authors - len(share), p=share)])
        style = self._centre[category_of] + 0.5 * spread * rng.standard_normal((num_authors, config.latent_dim))
        author = rng.integers(0, num_authors, config.num_items)
        vector = style[author] + 0.4 * spread * rng.standard_normal((config.num_items, config.latent_dim))
        start_s = config.midnight_ms(0) // 1000
        num_old = config.num_items - config.num_new_items
        upload_time_s = np.concatenate(
            [
                start_s - rng.integers(1, BACKLOG_DAYS * S_PER_DAY, num_old),
                start_s + rng.integers(0, config.num_days * S_PER_DAY, config.num_new_items),
            ]
        )
        return Items(
            vector=_unit(vector),
            appeal=_weights(config.popularity_weight * rng.standard_normal(config.num_items)),
            author=author,
            category_level_one=parent[category_of[author]],
            category_level_two=category_of[author],
            upload_type=rng.integers(0, NUM_UPLOAD_TYPES, config.num_items),
            upload_time_s=rng.permutation(upload_time_s),
            duration_ms=rng.integers(5_000, 120_000, config.num_items),
        )

    def _make_users(self, rng: np.random.Generator, share: np.ndarray) -> Users:
        num_users = self.config.num_users
        age = rng.integers(0, NUM_AGES, num_users)
        gender = rng.integers(0, NUM_GENDERS, num_users)
        by_age = rng.integers(1, 5, (NUM_AGES, len(share)))
        by_gender = rng.integers(1, 5, (NUM_GENDERS, len(share)))
        taste = share * by_age[age] * by_gender[gender]
        activity = 0.2 + rng.pareto(2.0, num_users)
        return Users(
            activity=activity / activity.sum(),
            age=age,
            gender=gender,
            province=rng.integers(0, NUM_PROVINCES, num_users),
            taste=taste / taste.sum(axis=1, keepdims=True),
        )

    def _new_interests(self, rng: np.random.Generator, users: np.ndarray) -> np.ndarray:
        """Returns one fresh interest for each of `users`, `[len(users), D]`."""
        cumulative = np.cumsum(self.users.taste[users], axis=1)
        category = (rng.random((len(users), 1)) > cumulative[:, :-1]).sum(axis=1)
        spread = 1 / np.sqrt(self.config.latent_dim)
        noise = rng.standard_normal((len(users), self.config.latent_dim))
        return _unit(self._centre[category] + 0.4 * spread * noise)

    @property
    def requests_at_once(self) -> int:
        return max(1, AFFINITIES_AT_ONCE // self.config.num_items)

    def id_counts(self) -> dict[str, int]:
        """Returns the number of different ids of each field; ids count from 0."""
        return {
            "user_id": self.config.num_users,
            "device_id": self.config.num_users * DEVICES_PER_USER,
            "age": NUM_AGES,
            "gender": NUM_GENDERS,
            "province": NUM_PROVINCES,
            "video_id": self.config.num_items,
            "author_id": int(self.items.author.max()) + 1,
            "category_level_one": self.config.num_categories_level_one,
            "category_level_two": self.config.num_categories_level_two,
            "upload_type": NUM_UPLOAD_TYPES,
        }

    def drift(self, day: int) -> None:
        """Moves every interest by a day, and replaces a few by new ones."""
        rng = _stream(self.config, 1, day)
        spread = self.config.drift / np.sqrt(self.config.latent_dim)
        self._interest = _unit(self._interest + spread * rng.standard_normal(self._interest.shape))
        switched = np.flatnonzero(rng.random(len(self._interest)) < self.config.switch_rate)
        self._interest[switched] = self._new_interests(rng, switched // self.config.num_interests)

    def affinity(self, users: np.ndarray, time_ms: np.ndarray) -> np.ndarray:
        """Returns the true, noise-free affinity; items not uploaded yet have minus infinity.

        Args:
          users: int `[B]`.
          time_ms: Unix milliseconds, int64 `[B]`.

        Returns:
          float32 `[B, N]`.
        """
        items, num_interests = self.items, self.config.num_interests
        interest = self._interest.reshape(self.config.num_users, num_interests, -1)[users]
        affinity = interest[:, 0] @ items.vector.T
        for index in range(1, num_interests):
            np.maximum(affinity, interest[:, index] @ items.vector.T, out=affinity)
        affinity += items.appeal
        affinity += self._daypart[self._daypart_of(time_ms)][:, items.category_level_two]
        self._add_freshness(affinity, time_ms // 1000)
        return affinity

    def _add_freshness(self, affinity: np.ndarray, time_s: np.ndarray) -> None:
        """Adds the appeal of new items, in place; those of the future get minus infinity."""
        fade_s = FADE_DAYS * S_PER_DAY
        recent = np.flatnonzero(self.items.upload_time_s > time_s.min() - fade_s)
        age_s = (time_s[:, None] - self.items.upload_time_s[recent]).astype(np.float32)
        freshness = _weights(self.config.recency_weight * np.maximum(1 - age_s / fade_s, 0))
        affinity[:, recent] += np.where(age_s < 0, np.float32(-np.inf), freshness)

    def _daypart_of(self, time_ms: np.ndarray) -> np.ndarray:
        hour = (time_ms - self.config.midnight_ms(0)) // MS_PER_HOUR % HOURS
        return hour // HOURS_PER_DAYPART
