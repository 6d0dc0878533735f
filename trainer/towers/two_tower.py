"""The retrieval tower: a user vector and an item vector whose inner product is the score."""

from typing import Any

import tensorflow as tf

from trainer.towers.dense import dense_stack
from trainer.towers.embeddings import Batch, attention_weights, embedding, mean_of_events
from trainer.towers.tower import Tower

NUM_POOLS = 2


@tf.keras.utils.register_keras_serializable("lcron")
class TwoTower(Tower):
    """Scores by the inner product of a user and an item vector, each from a dense network with a linear bypass.

    The user side pools the history twice by learned attention, whose logits see the event and how many events came
    after it, and once by the mean. The item's vector ends with its bias and the user's with a one, so the score is an
    inner product and nothing else. Takes the arguments of `Tower`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.event_attention = dense_stack((self.attention_units,), NUM_POOLS)
        self.recency = embedding(self.history_size, NUM_POOLS, "recency")
        self.user_network = dense_stack(self.hidden_units, self.output_dim)
        self.user_bypass = tf.keras.layers.Dense(self.output_dim, use_bias=False)
        self.item_network = dense_stack(self.hidden_units, self.output_dim)
        self.item_bypass = tf.keras.layers.Dense(self.output_dim, use_bias=False)
        self.item_bias = tf.keras.layers.Dense(1)

    def user_vectors(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, output_dim + 1]`, the last entry one."""
        where = batch["history_where"]
        events = self.history_encoder(batch)
        after = tf.cumsum(tf.cast(where, tf.int32), axis=-1, exclusive=True, reverse=True)
        logits = self.event_attention(events) + self.recency(tf.minimum(after, self.history_size - 1))
        weights = attention_weights(tf.linalg.matrix_transpose(logits), where[:, tf.newaxis])
        pools = tf.matmul(weights, events)  # [batch_size, NUM_POOLS, width]
        history = tf.concat([*tf.unstack(pools, NUM_POOLS, axis=1), mean_of_events(events, where)], axis=-1)
        vectors = self.user_network(tf.concat([self.request_encoder(batch), history], axis=-1))
        vectors += self.user_bypass(history)
        return tf.concat([vectors, tf.ones_like(vectors[:, :1])], axis=-1)

    def item_vectors(self, item: tf.Tensor) -> tf.Tensor:
        """Returns `[..., output_dim + 1]` for int32 `[...]` catalogue rows, the last entry the item's bias."""
        features = self.item_encoder(item)
        return tf.concat([self.item_network(features) + self.item_bypass(features), self.item_bias(features)], axis=-1)

    def encode_request(self, batch: Batch) -> tf.Tensor:
        """Returns the user vectors."""
        return self.user_vectors(batch)

    def score(self, state: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[batch_size, num_candidates]` for int32 catalogue rows of that shape."""
        return tf.linalg.matvec(self.item_vectors(item), state)
