"""Draws catalogue items that a user has not been exposed to."""

import numpy as np


class NegativeSampler:
    """Draws distinct items by weight, leaving out the ones already seen.

    Args:
      weights: `[V]` positive weights of the catalogue rows.
    """

    def __init__(self, weights: np.ndarray) -> None:
        self._weights = weights / weights.sum()
        self._cumulative = np.cumsum(self._weights)

    def draw(self, size: int, seen: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Draws rows one after the other, each in proportion to its weight among those left.

        Args:
          size: number of rows to draw; fewer come back when the catalogue has fewer unseen ones.
          seen: `[S]` distinct rows to leave out.
          generator: source of the randomness.

        Returns:
          `[<= size]` distinct rows.
        """
        size = min(size, len(self._weights) - len(seen))
        if size <= 0:
            return np.zeros(0, np.int64)
        points = generator.random(2 * size + 8)
        drawn = np.searchsorted(self._cumulative, points * self._cumulative[-1], side="right")
        drawn = drawn[~np.isin(drawn, seen)]
        drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])][:size]
        if len(drawn) == size:
            return drawn
        left = np.setdiff1d(np.arange(len(self._weights)), np.concatenate([seen, drawn]))
        weights = self._weights[left] / self._weights[left].sum()
        return np.concatenate([drawn, generator.choice(left, size - len(drawn), replace=False, p=weights)])
