"""Leaves of equal size: a balanced k-means of the catalogue's vectors."""

import dataclasses

import numpy as np
import scipy.sparse

_SAMPLE_PER_LEAF = 128
_ITERATIONS = 10
_CHOICES = 16
_ENTRIES_PER_BLOCK = 1 << 25
SLACK = 1.25
"""Places of all leaves for each item."""


@dataclasses.dataclass(frozen=True)
class Leaves:
    """A partition of the catalogue.

    Args:
      centres: float32 `[num_leaves, D]`.
      rows: int32 `[num_leaves, leaf_size]`, the catalogue rows of each leaf, 0 where a place is empty.
    """

    centres: np.ndarray
    rows: np.ndarray


def balanced_leaves(vectors: np.ndarray, num_leaves: int, seed: int = 0) -> Leaves:
    """Parts the items by the nearest of k-means' centres that has room.

    No leaf is larger than 1.25 of the mean, so a search of some leaves never takes long. An item that finds no room
    goes to the next nearest leaf; where many compete, those nearest to the centre stay.

    Args:
      vectors: float32 `[num_items + 1, D]`, of which row 0, the unknown item, is in no leaf.
      num_leaves: at most the number of items.
      seed: of the choice of the first centres.
    """
    items = vectors[1:]
    centres = _k_means(items, num_leaves, np.random.default_rng(seed))
    leaf_size = -(-int(np.ceil(SLACK * len(items))) // num_leaves)
    leaf = _assign(items, centres, leaf_size)
    order = np.argsort(leaf, kind="stable")
    counts = np.bincount(leaf, minlength=num_leaves)
    place = np.arange(len(items)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.zeros([num_leaves, leaf_size], np.int32)
    rows[leaf[order], place] = order + 1
    return Leaves(_means(items, leaf, centres), rows)


def _k_means(items: np.ndarray, num_leaves: int, rng: np.random.Generator) -> np.ndarray:
    """Lloyd's algorithm on a sample."""
    sample = items[rng.permutation(len(items))[: _SAMPLE_PER_LEAF * num_leaves]]
    centres = sample[:num_leaves].copy()
    for _ in range(_ITERATIONS):
        nearest = np.concatenate(
            [np.argmax(_closeness(sample[block], centres), axis=1) for block in _blocks(sample, centres)]
        )
        # A centre that is nearest to nothing starts anew somewhere.
        centres = _means(sample, nearest, sample[rng.integers(len(sample), size=num_leaves)])
    return centres


def _means(items: np.ndarray, leaf: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """The mean of the items of each leaf, the row of `empty` where there is none."""
    counts = np.bincount(leaf, minlength=len(empty))
    is_of_leaf = scipy.sparse.csr_matrix(
        (np.ones(len(leaf), np.float32), (leaf, np.arange(len(leaf)))), (len(empty), len(leaf))
    )
    means = (is_of_leaf @ items) / np.maximum(counts, 1).astype(np.float32)[:, np.newaxis]
    return np.where(counts[:, np.newaxis] > 0, means, empty)


def _assign(items: np.ndarray, centres: np.ndarray, leaf_size: int) -> np.ndarray:
    """The leaf of each item, none with more than `leaf_size`."""
    num_choices = min(_CHOICES, len(centres))
    choices = np.empty([len(items), num_choices], np.int32)
    closeness = np.empty([len(items), num_choices], np.float32)
    for block in _blocks(items, centres):
        values = _closeness(items[block], centres)
        nearest = np.argpartition(-values, num_choices - 1, axis=1)[:, :num_choices]
        order = np.argsort(-np.take_along_axis(values, nearest, axis=1), axis=1, kind="stable")
        choices[block] = np.take_along_axis(nearest, order, axis=1)
        closeness[block] = np.take_along_axis(values, choices[block], axis=1)
    leaf = np.full(len(items), -1)
    room = np.full(len(centres), leaf_size)
    for choice in range(num_choices):
        waiting = np.flatnonzero(leaf < 0)
        wanted = choices[waiting, choice]
        # By leaf, the closest first; the place in that order says who finds room.
        order = np.lexsort([-closeness[waiting, choice], wanted])
        wanted = wanted[order]
        place = np.arange(len(wanted)) - np.searchsorted(wanted, wanted)
        stays = place < room[wanted]
        leaf[waiting[order[stays]]] = wanted[stays]
        room -= np.bincount(wanted[stays], minlength=len(centres))
    homeless = np.flatnonzero(leaf < 0)
    leaf[homeless] = np.repeat(np.arange(len(centres)), room)[: len(homeless)]
    return leaf


def _closeness(items: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Half the negative squared distance, `[len(items), len(centres)]`."""
    norms = np.square(items).sum(axis=1, keepdims=True) + np.square(centres).sum(axis=1)
    return items @ centres.T - 0.5 * norms


def _blocks(items: np.ndarray, centres: np.ndarray) -> list[slice]:
    """Parts of the items whose distances to all centres fit into a bounded piece of memory."""
    size = max(_ENTRIES_PER_BLOCK // len(centres), 1)
    return [slice(start, start + size) for start in range(0, len(items), size)]
