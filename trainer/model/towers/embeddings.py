"""Encoders of the request, of catalogue items and of the history, concatenated embeddings all."""

import itertools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from trainer.data.features import EncodedFeature, HistoryFeature
from trainer.global_batch import Batch
from trainer.sorting.survival import LOG_ZERO

SMALL_TABLE_SIZE = 2**15
"""Rows up to which a table is looked up together with others: they are copied each time."""


def embedding(
    cardinality: int, embedding_dim: int, name: str, dtype: tf.keras.mixed_precision.Policy | None = None
) -> tf.keras.layers.Embedding:
    """Returns an embedding table that starts near zero: rows that training hardly sees stay without a say."""
    initializer = tf.keras.initializers.RandomNormal(stddev=0.03)
    table = tf.keras.layers.Embedding(cardinality, embedding_dim, initializer, name=name, dtype=dtype)
    with tf.name_scope(name):
        table.build(None)
    return table


def embed(tables: Sequence[tf.keras.layers.Embedding], columns: tf.Tensor) -> tf.Tensor:
    """Looks up each column of ids in a table of its own, with one gather for neighbouring small tables of one width.

    To lay small tables one below the other is no work beside a gather, and a gradient of it, for each.

    Args:
      tables: one per column.
      columns: int32 `[..., num_columns]`.

    Returns:
      `[..., sum of the widths]`, in the order of the columns.
    """
    parts, start = [], 0
    for width, neighbours in itertools.groupby(tables, _width_if_small):
        group = list(neighbours)
        ids = columns[..., start : start + len(group)]
        start += len(group)
        if width is None:
            parts += [table(column) for table, column in zip(group, tf.unstack(ids, len(group), axis=-1), strict=True)]
            continue
        first_rows = list(itertools.accumulate([table.input_dim for table in group[:-1]], initial=0))
        # The reshape changes nothing but the gradient, which is dense before it is cut into that of each table.
        joined = tf.reshape(tf.concat([table.embeddings for table in group], axis=0), [-1, width])
        values = tf.cast(tf.gather(joined, ids + tf.constant(first_rows)), group[0].compute_dtype)
        parts.append(tf.reshape(values, tf.concat([tf.shape(ids)[:-1], [len(group) * width]], axis=0)))
    return tf.concat(parts, axis=-1)


def _width_if_small(table: tf.keras.layers.Embedding) -> int | None:
    return table.output_dim if table.input_dim <= SMALL_TABLE_SIZE else None


class RequestEncoder(tf.keras.layers.Layer):
    """Embeds the request features of a batch.

    Args:
      features: the encoded request features; there may be none.
    """

    def __init__(self, features: Sequence[EncodedFeature], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.features = tuple(features)
        self.tables = [embedding(f.cardinality, f.embedding_dim, f.name, self.dtype_policy) for f in self.features]

    def call(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, sum of the widths]`."""
        if not self.features:
            return tf.zeros([tf.shape(batch["history_item"])[0], 0], self.compute_dtype)
        return embed(self.tables, tf.stack([batch[feature.name] for feature in self.features], axis=-1))


class ItemEncoder(tf.keras.layers.Layer):
    """Embeds catalogue rows: the item itself and its features, gathered from the item table.

    The item table is a weight that is not trained, so it is saved and restored with the model.

    Args:
      num_items: items of the catalogue; row 0 stands for an unknown one.
      features: the columns of the item table.
      item_embedding_dim: width of the embedding of the item itself.
      encoded: int32 `[num_items + 1, num_features]` item table; `None` if it will be restored.
    """

    def __init__(
        self,
        num_items: int,
        features: Sequence[EncodedFeature],
        item_embedding_dim: int,
        encoded: np.ndarray | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.features = tuple(features)
        self.item_embedding = embedding(num_items + 1, item_embedding_dim, "item_embedding", self.dtype_policy)
        self.tables = [embedding(f.cardinality, f.embedding_dim, f.name, self.dtype_policy) for f in self.features]
        self.item_table = self.add_weight(
            name="item_table",
            shape=[num_items + 1, len(self.features)],
            dtype=tf.int32,
            initializer="zeros" if encoded is None else tf.constant_initializer(encoded),
            trainable=False,
        )

    def call(self, item: tf.Tensor) -> tf.Tensor:
        """Returns `[..., sum of the widths]` for int32 `[...]` catalogue rows."""
        columns = tf.concat([item[..., tf.newaxis], tf.gather(self.item_table, item)], axis=-1)
        return embed([self.item_embedding, *self.tables], columns)


class HistoryEncoder(tf.keras.layers.Layer):
    """Embeds the events of the history: their items, as `item_encoder` does, and the features of the event.

    Args:
      item_encoder: the stage's encoder of items.
      features: integers aligned with the history.
    """

    def __init__(self, item_encoder: ItemEncoder, features: Sequence[HistoryFeature], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.item_encoder = item_encoder
        self.features = tuple(features)
        self.tables = [embedding(f.cardinality, f.embedding_dim, f.name, self.dtype_policy) for f in self.features]

    def call(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, history_size, sum of the widths]`, whatever on padding."""
        events = self.item_encoder(batch["history_item"])
        return tf.concat([events, self.encode_features(batch)], axis=-1) if self.features else events

    def encode_features(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, history_size, sum of the widths]` of the features of the events alone."""
        columns = [tf.clip_by_value(batch[f.example_name], 0, f.cardinality - 1) for f in self.features]
        return embed(self.tables, tf.stack(columns, axis=-1))


def mean_of_events(events: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns the mean `[batch_size, width]` of the events that are there, zero for an empty history."""
    is_there = tf.cast(where, events.dtype)
    weights = is_there / tf.maximum(tf.reduce_sum(is_there, axis=-1, keepdims=True), 1.0)
    return tf.linalg.matvec(events, weights, transpose_a=True)


def attention_weights(logits: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns the softmax over the last axis of what `where` lets through; all zero where that is nothing."""
    full = tf.where(where, tf.cast(logits, tf.float32) if logits.dtype.size < 4 else logits, LOG_ZERO)
    return tf.cast(tf.where(where, tf.nn.softmax(full, axis=-1), 0.0), logits.dtype)
