"""The ids that the rows of embedding tables stand for."""

from collections.abc import Mapping, Sequence

import tensorflow_transform as tft

from trainer.data.features import Categorical, Feature

Vocabularies = Mapping[str, Sequence[bytes]]
"""The ids that the rows of embedding tables stand for, by table, such as `"request/user_id"`."""

ITEM_ID = "item/item_id"
"""The table of the item ids."""


def vocabularies(
    transform_output: tft.TFTransformOutput, features: Sequence[Feature], group: str
) -> dict[str, list[bytes]]:
    """Returns the vocabulary of each categorical feature.

    Args:
      transform_output: of the Transform that encoded them.
      features: `FeatureSpec.request` or `FeatureSpec.item`.
      group: `"request"` or `"item"`.
    """
    return {
        f"{group}/{feature.name}": transform_output.vocabulary_by_name(feature.name)
        for feature in features
        if isinstance(feature, Categorical)
    }
