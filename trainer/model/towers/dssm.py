"""The plain two-tower model: one dense network for the user, one for the item."""

from typing import Any

import tensorflow as tf

from trainer.global_batch import Batch
from trainer.model.towers.dense import dense_stack
from trainer.model.towers.embeddings import mean_of_events
from trainer.model.towers.retrieval_tower import RetrievalTower


@tf.keras.utils.register_keras_serializable("lcron")
class Dssm(RetrievalTower):
    """Scores by the inner product of what two dense networks say, as LCRON's retrieval (arXiv 2503.09492) does.

        score = user_network([request, mean of the history]) · item_network(item)

    After Huang et al., CIKM 2013, without their cosine: the vectors are not normalised. `TwoTower` adds attention, a
    bias of the item and trained scales. Takes the arguments of `RetrievalTower`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.user_network = dense_stack(self.hidden_units, self.output_dim, self.dtype_policy)
        self.item_network = dense_stack(self.hidden_units, self.output_dim, self.dtype_policy)

    def user_vectors(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, output_dim]`."""
        history = mean_of_events(self.history_encoder(batch), batch["history_where"])
        vectors = self.user_network(tf.concat([self.request_encoder(batch), history], axis=-1))
        return tf.cast(vectors, tf.float32)

    def item_vectors(self, item: tf.Tensor) -> tf.Tensor:
        """Returns `[..., output_dim]` for int32 `[...]` catalogue rows."""
        return tf.cast(self.item_network(self.item_encoder(item)), tf.float32)
