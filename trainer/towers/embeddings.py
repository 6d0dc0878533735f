"""Encoders of the request, of catalogue items and of the history, concatenated embeddings all."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from trainer.features import EncodedFeature, HistoryFeature

Batch = Mapping[str, tf.Tensor]


def embedding(cardinality: int, embedding_dim: int, name: str) -> tf.keras.layers.Embedding:
    """Returns an embedding table that starts near zero: rows that training hardly sees stay without a say."""
    initializer = tf.keras.initializers.RandomNormal(stddev=0.03)
    return tf.keras.layers.Embedding(cardinality, embedding_dim, initializer, name=name)


class RequestEncoder(tf.keras.layers.Layer):
    """Embeds the request features of a batch.

    Args:
      features: the encoded request features; there may be none.
    """

    def __init__(self, features: Sequence[EncodedFeature], **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.features = tuple(features)
        self.tables = [embedding(f.cardinality, f.embedding_dim, f.name) for f in self.features]

    def call(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, sum of the widths]`."""
        if not self.features:
            return tf.zeros([tf.shape(batch["history_item"])[0], 0])
        return tf.concat([t(batch[f.name]) for f, t in zip(self.features, self.tables, strict=True)], axis=-1)


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
        self.item_embedding = embedding(num_items + 1, item_embedding_dim, "item_embedding")
        self.tables = [embedding(f.cardinality, f.embedding_dim, f.name) for f in self.features]
        self.item_table = self.add_weight(
            name="item_table",
            shape=[num_items + 1, len(self.features)],
            dtype=tf.int32,
            initializer="zeros" if encoded is None else tf.constant_initializer(encoded),
            trainable=False,
        )

    def call(self, item: tf.Tensor) -> tf.Tensor:
        """Returns `[..., sum of the widths]` for int32 `[...]` catalogue rows."""
        columns = tf.unstack(tf.gather(self.item_table, item), num=len(self.features), axis=-1)
        parts = [table(column) for table, column in zip(self.tables, columns, strict=True)]
        return tf.concat([self.item_embedding(item), *parts], axis=-1)


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
        self.tables = [embedding(f.cardinality, f.embedding_dim, f.name) for f in self.features]

    def call(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, history_size, sum of the widths]`, zero on padding."""
        parts = [self.item_encoder(batch["history_item"])]
        for feature, table in zip(self.features, self.tables, strict=True):
            value = tf.clip_by_value(batch[feature.example_name], 0, feature.cardinality - 1)
            parts.append(table(value))
        events = tf.concat(parts, axis=-1)
        return tf.where(batch["history_where"][..., tf.newaxis], events, 0.0)


def mean_of_events(events: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns the mean `[batch_size, width]` of the events that are there, zero for an empty history."""
    size = tf.reduce_sum(tf.cast(where, events.dtype), axis=-1, keepdims=True)
    return tf.reduce_sum(events, axis=-2) / tf.maximum(size, 1.0)


def attention_weights(logits: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    """Returns the softmax over the last axis of what `where` lets through; all zero where that is nothing."""
    weights = tf.nn.softmax(tf.where(where, logits, -1e30), axis=-1)
    return tf.where(where, weights, 0.0)
