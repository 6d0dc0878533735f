"""Filters of the catalogue by categorical item features."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from trainer.data.item_table import ItemTable
from trainer.index.search_query import NO_VALUE, UNKNOWN_VALUE, marked


class ItemFilters(tf.Module):
    """Which items have one of the values that a request asks for.

    An item whose value is outside of the vocabulary has no value that could be asked for.

    Args:
      names: categorical item features.
      item_table: the catalogue.
      vocabularies: of the features, UTF-8 bytes in the order of their encoded ids, by name.

    Raises:
      ValueError: a name has no vocabulary.
    """

    def __init__(
        self, names: Sequence[str], item_table: ItemTable, vocabularies: Mapping[str, Sequence[bytes]]
    ) -> None:
        super().__init__()
        columns = {feature.name: column for column, feature in enumerate(item_table.features)}
        self._tables, self._values, self._num_values = {}, {}, {}
        for name in names:
            if name not in columns or name not in vocabularies:
                raise ValueError(
                    f"`index.filters` must name categorical item features. Received: {name!r}; "
                    f"there are {sorted(set(columns).intersection(vocabularies))}"
                )
            values = tf.constant([*vocabularies[name]], tf.string)
            initializer = tf.lookup.KeyValueTensorInitializer(values, tf.range(tf.size(values)))
            self._tables[name] = tf.lookup.StaticHashTable(initializer, UNKNOWN_VALUE)
            encoded = item_table.encoded[:, columns[name]].astype(np.int32)
            encoded[0] = len(vocabularies[name])  # the unknown item
            self._values[name] = tf.Variable(encoded, trainable=False, name=f"filter_{name}")
            self._num_values[name] = len(vocabularies[name])

    @property
    def names(self) -> tuple[str, ...]:
        """The features that requests may filter by."""
        return tuple(self._tables)

    def encode(self, name: str, values: tf.Tensor) -> tf.Tensor:
        """Returns int32 values as `SearchQuery.filters` has them, of strings `[B, F]` in which `""` is padding."""
        return tf.where(values == "", NO_VALUE, self._tables[name].lookup(values))

    def allowed(self, filters: Mapping[str, tf.Tensor], rows: tf.Tensor | None = None) -> tf.Tensor:
        """Whether items are allowed by all filters.

        Args:
          filters: as `SearchQuery.filters` has them.
          rows: int32 `[B, N]`, catalogue rows to ask about; `None` asks about all.

        Returns:
          bool `[B, N]`, or `[B, num_items + 1]` for all.
        """
        return tf.reduce_all([self._allowed(name, wanted, rows) for name, wanted in filters.items()], axis=0)

    def _allowed(self, name: str, wanted: tf.Tensor, rows: tf.Tensor | None) -> tf.Tensor:
        beyond = self._num_values[name] + 1
        # Values that no item has, and padding, have a column beyond those of items.
        chosen = marked(tf.where(wanted >= 0, wanted, beyond), beyond + 1)
        is_free = tf.reduce_all(wanted == NO_VALUE, axis=1, keepdims=True)
        if rows is None:
            return is_free | tf.gather(chosen, self._values[name], axis=1)
        return is_free | tf.gather(chosen, tf.gather(self._values[name], rows), batch_dims=1)


def has_filter(filters: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Whether any request filters at all, bool."""
    return tf.reduce_any([tf.reduce_any(wanted != NO_VALUE) for wanted in filters.values()])
