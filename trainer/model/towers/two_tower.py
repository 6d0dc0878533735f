"""A two-tower model that starts from the items of the history."""

import math
from typing import Any

import tensorflow as tf

from trainer.global_batch import Batch
from trainer.model.towers.dense import dense_stack
from trainer.model.towers.embeddings import attention_weights, embedding, mean_of_events
from trainer.model.towers.retrieval_tower import RetrievalTower

NUM_POOLS = 2
INITIAL_SCALE = 10.0
INITIAL_HISTORY_SCALE = 40.0


@tf.keras.utils.register_keras_serializable("lcron")
class TwoTower(RetrievalTower):
    """Scores by the inner product of a user and an item vector.

    The item's vector comes from a dense network with a linear bypass. The user's is the sum of two: one from a dense
    network over the request and the pooled history, and the pooled item vectors of the history itself, so that an item
    near to what the user met before scores high from the start (factored item similarity: Kabbur et al., KDD 2013).
    Pooling is by learned attention, whose logits see the event and how many events came after it, and for the network
    by the mean too. Both parts have a trained scale, since embeddings start small and a softmax needs large scores. The
    item's vector ends with its bias and the user's with a one, so the score is an inner product and nothing else.
    Takes the arguments of `RetrievalTower` too.

    Args:
      attention_units: hidden width of the attention over the history.
    """

    def __init__(self, *, attention_units: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention_units = attention_units
        policy = self.dtype_policy
        self.event_attention = dense_stack((self.attention_units,), NUM_POOLS, policy)
        self.recency = embedding(self.history_size, NUM_POOLS, "recency", policy)
        self.user_network = dense_stack(self.hidden_units, self.output_dim, policy)
        self.item_network = dense_stack(self.hidden_units, self.output_dim, policy)
        self.item_bypass = tf.keras.layers.Dense(self.output_dim, use_bias=False, dtype=policy)
        self.item_bias = tf.keras.layers.Dense(1, dtype=policy)
        self.log_scale = self._log_scale("log_scale", INITIAL_SCALE)
        self.log_history_scale = self._log_scale("log_history_scale", INITIAL_HISTORY_SCALE)

    def user_vectors(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, output_dim + 1]`, the last entry one."""
        where = batch["history_where"]
        events = self.history_encoder(batch)
        after = tf.cumsum(tf.cast(where, tf.int32), axis=-1, exclusive=True, reverse=True)
        logits = self.event_attention(events) + self.recency(tf.minimum(after, self.history_size - 1))
        weights = attention_weights(tf.linalg.matrix_transpose(logits), where[:, tf.newaxis])
        pools = tf.matmul(weights, events)  # [batch_size, NUM_POOLS, width]
        history = tf.concat([*tf.unstack(pools, NUM_POOLS, axis=1), mean_of_events(events, where)], axis=-1)
        vectors = tf.cast(self.user_network(tf.concat([self.request_encoder(batch), history], axis=-1)), tf.float32)
        vectors *= tf.exp(self.log_scale)
        met = tf.matmul(tf.cast(weights[:, :1], tf.float32), self.item_vectors(batch["history_item"])[..., :-1])
        vectors += tf.exp(self.log_history_scale) * tf.squeeze(met, axis=1)
        return tf.concat([vectors, tf.ones_like(vectors[:, :1])], axis=-1)

    def item_vectors(self, item: tf.Tensor) -> tf.Tensor:
        """Returns `[..., output_dim + 1]` for int32 `[...]` catalogue rows, the last entry the item's bias."""
        features = self.item_encoder(item)
        vectors = self.item_network(features) + self.item_bypass(features)
        return tf.cast(tf.concat([vectors, self.item_bias(features)], axis=-1), tf.float32)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments but `encoded`."""
        return {**super().get_config(), "attention_units": self.attention_units}

    def _log_scale(self, name: str, scale: float) -> tf.Variable:
        initializer = tf.constant_initializer(math.log(scale))
        return self.add_weight(name=name, shape=[], initializer=initializer, experimental_autocast=False)
