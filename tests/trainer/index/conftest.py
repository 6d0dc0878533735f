"""A catalogue of vectors with two features to filter by, and its exact answers."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from trainer.data.features import EncodedFeature
from trainer.data.item_table import ItemTable
from trainer.index.item_filters import ItemFilters

NUM_ITEMS, WIDTH, NUM_USERS = 3000, 16, 12
CATEGORIES, COLOURS = [b"c0", b"c1", b"c2"], [b"red", b"blue"]


@dataclasses.dataclass(frozen=True)
class World:
    """Vectors `[NUM_ITEMS + 1, WIDTH]` in clusters, users near to some, and who has which category and colour."""

    items: np.ndarray
    users: np.ndarray
    encoded: np.ndarray
    filters: ItemFilters

    @property
    def num_items(self) -> int:
        return len(self.items) - 1

    @property
    def num_users(self) -> int:
        return len(self.users)

    def best(self, user: int, size: int, allowed: np.ndarray | None = None) -> list[int]:
        """Rows of the best items for a user among `allowed`, bool by row."""
        scores = (self.items @ self.users[user]).astype(np.float64)
        scores[0] = -np.inf
        if allowed is not None:
            scores[~allowed] = -np.inf
        order = np.argsort(-scores, kind="stable")[:size]
        return order[scores[order] > -np.inf].tolist()


@pytest.fixture(scope="package")
def world() -> World:
    rng = np.random.default_rng(5)
    spread = np.arange(1, WIDTH + 1) ** -0.5
    centres = rng.standard_normal((40, WIDTH)) * spread
    items = centres[rng.integers(40, size=NUM_ITEMS + 1)] + 0.5 * rng.standard_normal((NUM_ITEMS + 1, WIDTH)) * spread
    items[0] = 100.0  # the unknown item would be first everywhere
    users = centres[:NUM_USERS] + 0.3 * rng.standard_normal((NUM_USERS, WIDTH)) * spread
    encoded = np.stack([rng.integers(4, size=NUM_ITEMS + 1), rng.integers(3, size=NUM_ITEMS + 1)], axis=1)
    table = ItemTable(
        tuple(f"i{number}".encode() for number in range(NUM_ITEMS)),
        encoded,
        (EncodedFeature("category", 4, 2), EncodedFeature("colour", 3, 2)),
    )
    filters = ItemFilters(["category", "colour"], table, {"category": CATEGORIES, "colour": COLOURS})
    return World(items.astype(np.float32), users.astype(np.float32), encoded, filters)


@pytest.fixture(scope="package")
def no_exclusions() -> tf.Tensor:
    return tf.zeros([NUM_USERS, 0], tf.int32)
