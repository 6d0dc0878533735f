"""Whether one method is better than another on the same seeds."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats


@dataclasses.dataclass(frozen=True)
class Lead:
    """How far one method is ahead of another, seed by seed.

    Args:
      mean: of the differences.
      margin: half the width of its 95 % interval (Student's t); NaN with a single seed.
      p_value: of the paired t-test, two-sided; NaN with a single seed.
    """

    mean: float
    margin: float
    p_value: float

    @property
    def sign(self) -> int:
        """1 if the first is better, -1 if the other is, 0 if the interval holds zero or there is none."""
        return int(np.sign(self.mean)) if abs(self.mean) > self.margin else 0


def lead(ours: Sequence[float] | np.ndarray, theirs: Sequence[float] | np.ndarray) -> Lead:
    """Compares two methods on the same seeds by a paired t-test.

    Args:
      ours: values of the first method, one per seed.
      theirs: those of the other one, in the same order.

    Returns:
      The lead of the first.
    """
    differences = np.subtract(ours, theirs)
    mean, num_seeds = float(differences.mean()), len(differences)
    if num_seeds < 2:
        return Lead(mean, math.nan, math.nan)
    error = float(differences.std(ddof=1)) / math.sqrt(num_seeds)
    if error == 0:
        return Lead(mean, 0.0, float(mean == 0))
    p_value = 2 * float(stats.t.sf(abs(mean) / error, num_seeds - 1))
    return Lead(mean, float(stats.t.ppf(0.975, num_seeds - 1)) * error, p_value)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Corrects p-values for their number (Holm, Scandinavian Journal of Statistics 1979); NaN stays NaN.

    Args:
      p_values: by the name of their test.

    Returns:
      The corrected ones, in the same order.
    """
    known = sorted((p, name) for name, p in p_values.items() if not math.isnan(p))
    corrected: dict[str, float] = {}
    largest = 0.0
    for index, (p, name) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - index) * p))
        corrected[name] = largest
    return {name: corrected.get(name, math.nan) for name in p_values}
