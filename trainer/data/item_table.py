"""The encoded catalogue that the towers gather item features from."""

import dataclasses

import numpy as np

from trainer.data.features import EncodedFeature


@dataclasses.dataclass(frozen=True, eq=False)
class ItemTable:
    """Every item that can be recommended, with its encoded features.

    Row 0 of `encoded` stands for an unknown item, row `i` for `item_ids[i - 1]`.

    Args:
      item_ids: ids of the catalogue, UTF-8 bytes, distinct.
      encoded: int32 `[num_items + 1, num_features]`, ids in `[0, cardinality)` of each feature; made read-only.
      features: the columns of `encoded`.

    Raises:
      ValueError: if the ids repeat, or shape or values of `encoded` do not fit.
    """

    item_ids: tuple[bytes, ...]
    encoded: np.ndarray
    features: tuple[EncodedFeature, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "item_ids", tuple(self.item_ids))
        object.__setattr__(self, "features", tuple(self.features))
        if not self.item_ids:
            raise ValueError("`item_ids` must hold at least one item. Received: none")
        if len(set(self.item_ids)) != len(self.item_ids):
            raise ValueError(
                f"`item_ids` must be distinct. Received: {len(self.item_ids)} ids, "
                f"{len(set(self.item_ids))} of them distinct"
            )
        encoded = np.array(self.encoded, np.int32)
        expected = (len(self.item_ids) + 1, len(self.features))
        if encoded.shape != expected:
            raise ValueError(
                f"`encoded` must have the shape [num_items + 1, num_features] = {list(expected)}. "
                f"Received: {list(encoded.shape)}"
            )
        for column, feature in zip(encoded.T, self.features, strict=True):
            if column.min() < 0 or column.max() >= feature.cardinality:
                raise ValueError(
                    f"`encoded` must hold ids in [0, {feature.cardinality}) for `{feature.name}`. "
                    f"Received: {column.min()} to {column.max()}"
                )
        encoded.setflags(write=False)
        object.__setattr__(self, "encoded", encoded)

    @property
    def num_items(self) -> int:
        """Items of the catalogue, the unknown one not counted."""
        return len(self.item_ids)
