"""Whether what was measured is as good as it should be."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a ratio of two costs is within its bound.

    Args:
      claim: in words, with the bound.
      bound: on the ratio.
      ratios: measured, by what they are of; the largest counts.
    """

    claim: str
    bound: float
    ratios: Mapping[str, float]

    @property
    def holds(self) -> bool | None:
        """`None` if nothing was measured."""
        return max(self.ratios.values()) <= self.bound if self.ratios else None

    def __str__(self) -> str:
        verdict = {True: "holds", False: "does not hold", None: "not measured"}[self.holds]
        ratios = ", ".join(f"{name} {ratio:.3f}" for name, ratio in self.ratios.items())
        return f"{self.claim}: {verdict}" + (f" ({ratios})" if ratios else "")

    def figures(self) -> dict[str, object]:
        """Returns it as plain values."""
        return {**dataclasses.asdict(self), "holds": self.holds}
