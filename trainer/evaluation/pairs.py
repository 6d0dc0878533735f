"""Pairs of a request and an item, such as the ground truth, and where they stand in ranked lists."""

import dataclasses

import numpy as np

NOWHERE = np.iinfo(np.int32).max
"""Position of an item that a list does not hold."""


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Items of requests, ordered by request.

    Args:
      request: int64 `[P]`, index of the request, ascending.
      item: int64 `[P]`, catalogue row, negative where the catalogue lacks the item.
    """

    request: np.ndarray
    item: np.ndarray

    def __len__(self) -> int:
        return len(self.request)

    def between(self, start: int, end: int) -> slice:
        """Returns where the pairs of the requests `start` to `end` (exclusive) lie."""
        return slice(*np.searchsorted(self.request, (start, end)))

    def part(self, where: slice, first_request: int) -> "Pairs":
        """Returns some of the pairs, with requests counted from `first_request`."""
        return Pairs(self.request[where] - first_request, self.item[where])

    def keys(self, num_items: int) -> np.ndarray:
        """Returns one number per pair, int64 `[P]`; unknown items get negative ones, each its own."""
        known = self.request * num_items + self.item
        return np.where(self.item >= 0, known, -1 - np.arange(len(self)))

    def isin(self, others: "Pairs", num_items: int) -> np.ndarray:
        """Returns whether each pair is among the others too, bool `[P]`; unknown items never are."""
        return (self.item >= 0) & np.isin(self.keys(num_items), others.keys(num_items))

    def distinct(self, num_items: int) -> "Pairs":
        """Returns the pairs without repetitions."""
        kept = np.sort(np.unique(self.keys(num_items), return_index=True)[1])
        return Pairs(self.request[kept], self.item[kept])

    def positions(self, ranked: np.ndarray, num_items: int) -> np.ndarray:
        """Finds the pairs in ranked lists.

        Args:
          ranked: int64 `[R, C]`, the catalogue rows that each request gets, best first; negative slots are empty.
          num_items: catalogue size.

        Returns:
          int32 `[P]`, position from 0, `NOWHERE` if the list of the request lacks the item.
        """
        num_requests, length = ranked.shape
        if not length or not len(self):
            return np.full(len(self), NOWHERE, np.int32)
        keys = np.where(ranked >= 0, np.arange(num_requests)[:, None] * num_items + ranked, -1).ravel()
        order = np.argsort(keys, kind="stable")
        wanted = self.keys(num_items)
        found = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
        hit = (self.item >= 0) & (keys[found] == wanted)
        return np.where(hit, found % length, NOWHERE).astype(np.int32)
