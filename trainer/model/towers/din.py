"""A ranking tower whose candidates attend over the history."""

from typing import Any, NamedTuple

import tensorflow as tf

from trainer.global_batch import Batch
from trainer.model.towers.additive_logits import additive_logits
from trainer.model.towers.dense import RequestItemMlp
from trainer.model.towers.embeddings import attention_weights, mean_of_events
from trainer.model.towers.tower import Tower


class DinState(NamedTuple):
    """The request side of `Din`.

    Args:
      events: `[batch_size, history_size, width]`.
      where: bool `[batch_size, history_size]`.
      attention: `[batch_size, history_size, attention_units]`, the events' part of the first attention layer.
      request: `[batch_size, hidden_units[0]]`, the request's part of the first dense layer.
    """

    events: tf.Tensor
    where: tf.Tensor
    attention: tf.Tensor
    request: tf.Tensor


@tf.keras.utils.register_keras_serializable("lcron")
class Din(Tower):
    """Deep interest network (Zhou et al., KDD 2018): each candidate weighs the history by its own attention.

    The first attention layer is linear in event and candidate, so both are projected apart and added: the same
    result as on their concatenation, for a fraction of the work. Takes the arguments of `Tower` too.

    Args:
      attention_units: hidden width of the attention.
    """

    def __init__(self, *, attention_units: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention_units = attention_units
        self.event_attention = tf.keras.layers.Dense(self.attention_units, dtype=self.dtype_policy)
        self.item_attention = tf.keras.layers.Dense(self.attention_units, use_bias=False, dtype=self.dtype_policy)
        self.attention_kernel = self.add_weight("attention_kernel", [self.attention_units, 1])
        self.network = RequestItemMlp(self.hidden_units, dtype=self.dtype_policy)

    def encode_request(self, batch: Batch) -> DinState:
        """Returns the events and the request's share of the first layers."""
        where = batch["history_where"]
        events = self.history_encoder(batch)
        request = tf.concat([self.request_encoder(batch), mean_of_events(events, where)], axis=-1)
        return DinState(events, where, self.event_attention(events), self.network.project(request))

    def score(self, state: DinState, item: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[batch_size, num_candidates]` for int32 catalogue rows of that shape."""
        features = self.item_encoder(item)
        kernel = tf.convert_to_tensor(self.attention_kernel)  # a variable of several replicas has no custom gradient
        kernel = tf.cast(kernel, state.attention.dtype)
        logits = additive_logits(state.attention, self.item_attention(features), kernel)
        interest = tf.matmul(attention_weights(logits, state.where[:, tf.newaxis]), state.events)
        return tf.cast(self.network(state.request, tf.concat([interest, features], axis=-1)), tf.float32)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments but `encoded`."""
        return {**super().get_config(), "attention_units": self.attention_units}
