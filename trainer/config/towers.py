"""The typed configuration of the towers, each with the settings that it has."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, get_args

from trainer.config.checks import check_positive


@dataclasses.dataclass(frozen=True)
class _Tower:
    """What every tower has.

    Args:
      hidden_units: widths of its dense layers.
    """

    kind: ClassVar[str]
    finds: ClassVar[bool] = False
    """Whether it can be the first stage, which searches the catalogue by an inner product."""

    hidden_units: tuple[int, ...] = (128, 64)

    def __post_init__(self) -> None:
        if not self.hidden_units or min(self.hidden_units) < 1:
            raise ValueError(f"`hidden_units` must be positive widths. Received: hidden_units={self.hidden_units}")
        check_positive(self, *(field.name for field in dataclasses.fields(self) if field.name != "hidden_units"))


@dataclasses.dataclass(frozen=True)
class TwoTower(_Tower):
    """A two-tower model that starts from the items of the history.

    Args:
      hidden_units: widths of its dense layers.
      output_dim: width of the user and item vectors.
      attention_units: hidden width of the attention over the history.
    """

    kind: ClassVar[str] = "two_tower"
    finds: ClassVar[bool] = True

    output_dim: int = 32
    attention_units: int = 32


@dataclasses.dataclass(frozen=True)
class Dssm(_Tower):
    """The plain two-tower model.

    Args:
      hidden_units: widths of its dense layers.
      output_dim: width of the user and item vectors.
    """

    kind: ClassVar[str] = "dssm"
    finds: ClassVar[bool] = True

    output_dim: int = 32


@dataclasses.dataclass(frozen=True)
class ItemSimilarity(_Tower):
    """A factored item-item model.

    Args:
      hidden_units: widths of the dense layers over the request.
      output_dim: width of the user and item vectors.
    """

    kind: ClassVar[str] = "item_similarity"
    finds: ClassVar[bool] = True

    output_dim: int = 32


@dataclasses.dataclass(frozen=True)
class Din(_Tower):
    """A ranking tower whose candidates attend over the history.

    Args:
      hidden_units: widths of its dense layers.
      attention_units: hidden width of the attention.
    """

    kind: ClassVar[str] = "din"

    attention_units: int = 32


@dataclasses.dataclass(frozen=True)
class Mlp(_Tower):
    """A light ranking tower."""

    kind: ClassVar[str] = "mlp"


@dataclasses.dataclass(frozen=True)
class Dcn(_Tower):
    """A ranking tower with explicit feature crosses."""

    kind: ClassVar[str] = "dcn"


TowerConfig = TwoTower | Dssm | ItemSimilarity | Din | Mlp | Dcn
"""The towers; a new one is named here and in `trainer.model.cascade_model.TOWERS`."""

TOWERS: Mapping[str, type[TowerConfig]] = {tower.kind: tower for tower in get_args(TowerConfig)}
"""The towers, by kind."""
