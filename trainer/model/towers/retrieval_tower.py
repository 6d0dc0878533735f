"""What every tower that can search the catalogue has in common."""

import abc
from typing import Any

import tensorflow as tf

from trainer.global_batch import Batch
from trainer.model.towers.tower import Tower


class RetrievalTower(Tower):
    """Scores by the inner product of a user and an item vector, so the vectors of the catalogue can be kept.

    Only such a tower can be the first stage of a cascade. Takes the arguments of `Tower` too.

    Args:
      output_dim: width of the user and item vectors.
    """

    def __init__(self, *, output_dim: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_dim = output_dim

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

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments but `encoded`."""
        return {**super().get_config(), "output_dim": self.output_dim}
