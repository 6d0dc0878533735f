"""A light ranking tower: a dense network on request, history and item."""

from typing import Any

import tensorflow as tf

from trainer.global_batch import Batch
from trainer.model.towers.dense import RequestItemMlp
from trainer.model.towers.embeddings import mean_of_events
from trainer.model.towers.tower import Tower


@tf.keras.utils.register_keras_serializable("lcron")
class Mlp(Tower):
    """A dense network on the request features, the mean of the history and the item. Takes the arguments of `Tower`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = RequestItemMlp(self.hidden_units, dtype=self.dtype_policy)

    def encode_request(self, batch: Batch) -> tf.Tensor:
        """Returns the request's part of the first layer, `[batch_size, hidden_units[0]]`."""
        history = mean_of_events(self.history_encoder(batch), batch["history_where"])
        return self.network.project(tf.concat([self.request_encoder(batch), history], axis=-1))

    def score(self, state: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[batch_size, num_candidates]` for int32 catalogue rows of that shape."""
        return tf.cast(self.network(state, self.item_encoder(item)), tf.float32)
