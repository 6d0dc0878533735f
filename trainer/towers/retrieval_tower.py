"""What every tower that can search the catalogue has in common."""

import abc

import tensorflow as tf

from trainer.towers.embeddings import Batch
from trainer.towers.tower import Tower


class RetrievalTower(Tower):
    """Scores by the inner product of a user and an item vector, so the vectors of the catalogue can be kept.

    Only such a tower can be the first stage of a cascade. Takes the arguments of `Tower`.
    """

    @abc.abstractmethod
    def user_vectors(self, batch: Batch) -> tf.Tensor:
        """Returns `[batch_size, width]`."""

    @abc.abstractmethod
    def item_vectors(self, item: tf.Tensor) -> tf.Tensor:
        """Returns `[..., width]` for int32 `[...]` catalogue rows."""

    def encode_request(self, batch: Batch) -> tf.Tensor:
        """Returns the user vectors."""
        return self.user_vectors(batch)

    def score(self, state: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[batch_size, num_candidates]` for int32 catalogue rows of that shape."""
        return tf.linalg.matvec(self.item_vectors(item), state)
