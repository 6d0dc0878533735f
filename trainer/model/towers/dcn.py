"""A ranking tower with explicit feature crosses."""

from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from trainer.global_batch import Batch
from trainer.model.towers.dense import dense_stack
from trainer.model.towers.embeddings import mean_of_events
from trainer.model.towers.tower import Tower

NUM_CROSSES = 2


@tf.keras.utils.register_keras_serializable("lcron")
class Dcn(Tower):
    """Deep and cross network, version 2 (Wang et al., WWW 2021), stacked: cross layers under a dense network.

    Its input is the request features, the mean of the history and the item. Takes the arguments of `Tower`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.crosses = [tfrs.layers.dcn.Cross(dtype=self.dtype_policy) for _ in range(NUM_CROSSES)]
        self.network = dense_stack(self.hidden_units, 1, self.dtype_policy)

    def encode_request(self, batch: Batch) -> tf.Tensor:
        """Returns the request's features, `[batch_size, width]`."""
        history = mean_of_events(self.history_encoder(batch), batch["history_where"])
        return tf.concat([self.request_encoder(batch), history], axis=-1)

    def score(self, state: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[batch_size, num_candidates]` for int32 catalogue rows of that shape."""
        features = self.item_encoder(item)
        request = tf.repeat(state[:, tf.newaxis], tf.shape(item)[1], axis=1)
        first = crossed = tf.concat([request, features], axis=-1)
        for cross in self.crosses:
            crossed = cross(first, crossed)
        return tf.cast(tf.squeeze(self.network(crossed), axis=-1), tf.float32)
