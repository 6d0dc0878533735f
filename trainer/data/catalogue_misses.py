"""How many of the items that requests name the catalogue lacks."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class CatalogueMisses:
    """Items that requests name, and how many of them the catalogue lacks.

    Args:
      num_candidates: logged candidates.
      num_unknown_candidates: candidates that the catalogue lacks; they are masked.
      num_history_items: logged events of the histories.
      num_unknown_history_items: events whose item the catalogue lacks; they count as the unknown item.
    """

    num_candidates: int
    num_unknown_candidates: int
    num_history_items: int
    num_unknown_history_items: int

    def __add__(self, other: "CatalogueMisses") -> "CatalogueMisses":
        names = (field.name for field in dataclasses.fields(self))
        return CatalogueMisses(**{name: getattr(self, name) + getattr(other, name) for name in names})

    def __bool__(self) -> bool:
        """Whether the catalogue lacks any."""
        return self.num_unknown_candidates + self.num_unknown_history_items > 0

    def __str__(self) -> str:
        return (
            f"{self.num_unknown_candidates:,} of {self.num_candidates:,} candidates and "
            f"{self.num_unknown_history_items:,} of {self.num_history_items:,} history items are not in the catalogue"
        )
