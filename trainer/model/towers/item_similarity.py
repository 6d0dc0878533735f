"""A retrieval tower that adds up what each event of the history says about each item."""

import math
from typing import Any

import tensorflow as tf

from trainer.global_batch import Batch
from trainer.model.towers.dense import dense_stack
from trainer.model.towers.embeddings import embedding
from trainer.model.towers.retrieval_tower import RetrievalTower

HISTORY_EXPONENT = 0.5
INITIAL_SCALE = 1.5


@tf.keras.utils.register_keras_serializable("lcron")
class ItemSimilarity(RetrievalTower):
    """A factored item-item model: linear in the history, so that every event counts and none is squeezed away.

    With the events `l` of a history, their weights `w_l` and items `i_l`,

        score(j) = v_j · ( s·Σ_l w_l·c_{i_l} / (1 + Σ_l w_l)^½ + user_network(request) ) + b_j

    where the factors `c` of an item in the history are other than those `v` of a candidate, as in SVD++ (Koren, KDD
    2008) and FISM (Kabbur et al., KDD 2013). The logarithm of an event's weight is linear in its features and in
    how many events came after it. The candidate's factors and bias have a part of their own and a linear one of its
    features. Takes the arguments of `RetrievalTower`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item_factors = embedding(self.num_items + 1, self.output_dim, "item_factors")
        self.history_factors = embedding(self.num_items + 1, self.output_dim, "history_factors")
        self.feature_factors = tf.keras.layers.Dense(self.output_dim, use_bias=False)
        self.item_bias = embedding(self.num_items + 1, 1, "item_bias")
        self.feature_bias = tf.keras.layers.Dense(1)
        self.user_network = dense_stack(self.hidden_units, self.output_dim, self.dtype_policy)
        self.recency = embedding(self.history_size, 1, "recency")
        self.event_weight = tf.keras.layers.Dense(1, use_bias=False)
        initializer = tf.constant_initializer(math.log(INITIAL_SCALE))
        self.log_scale = self.add_weight(
            name="log_scale", shape=[], initializer=initializer, experimental_autocast=False
        )

    @property
    def item_tables(self) -> dict[str, tf.keras.layers.Embedding]:
        """The factors and the biases."""
        return {"factors": self.item_factors, "history_factors": self.history_factors, "bias": self.item_bias}

    def user_vectors(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, output_dim + 1]`, the last entry one."""
        weights = self._event_weights(batch)
        factors = self.history_factors(batch["history_item"])
        history = tf.squeeze(tf.matmul(weights[:, tf.newaxis], factors), axis=1)
        history /= (1.0 + tf.reduce_sum(weights, axis=-1, keepdims=True)) ** HISTORY_EXPONENT
        request = tf.cast(self.user_network(self.request_encoder(batch)), tf.float32)
        vectors = tf.exp(self.log_scale) * history + request
        return tf.concat([vectors, tf.ones_like(vectors[:, :1])], axis=-1)

    def item_vectors(self, item: tf.Tensor) -> tf.Tensor:
        """Returns `[..., output_dim + 1]` for int32 `[...]` catalogue rows, the last entry the item's bias."""
        features = self.item_encoder(item)
        factors = self.item_factors(item) + self.feature_factors(features)
        return tf.concat([factors, self.item_bias(item) + self.feature_bias(features)], axis=-1)

    def _event_weights(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, history_size]`, zero on padding."""
        where = batch["history_where"]
        after = tf.cumsum(tf.cast(where, tf.int32), axis=-1, exclusive=True, reverse=True)
        logits = self.recency(tf.minimum(after, self.history_size - 1))
        if self.history_features:
            logits += self.event_weight(self.history_encoder.encode_features(batch))
        return tf.where(where, tf.exp(tf.squeeze(logits, axis=-1)), 0.0)
