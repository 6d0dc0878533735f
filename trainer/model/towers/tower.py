"""What every stage's scoring model has in common."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.data.features import EncodedFeature, HistoryFeature
from trainer.global_batch import Batch
from trainer.model.towers.embeddings import HistoryEncoder, ItemEncoder, RequestEncoder


class Tower(tf.keras.layers.Layer, abc.ABC):
    """Scores items for a request, in two steps so that the user side is computed once per request.

    With a mixed precision policy as `dtype`, layers compute in half precision on float32 weights; attention weights
    and what comes out, scores and the vectors of a retrieval tower, are float32.

    Args:
      num_items: items of the catalogue, rows `1..num_items`; row 0 stands for an unknown one.
      request_features: encoded user and context features.
      item_features: the columns of the item table.
      history_features: integers aligned with the history.
      history_size: events that the batch holds at most.
      item_embedding_dim: width of the embedding of the item itself.
      hidden_units: widths of the dense layers.
      adds_to_previous: whether `score_after` adds the scores of the stage before.
      encoded: int32 `[num_items + 1, num_features]` item table; `None` if it will be restored.
    """

    def __init__(
        self,
        *,
        num_items: int,
        request_features: Sequence[EncodedFeature] = (),
        item_features: Sequence[EncodedFeature] = (),
        history_features: Sequence[HistoryFeature] = (),
        history_size: int = 50,
        item_embedding_dim: int = 16,
        hidden_units: Sequence[int] = (128, 64),
        adds_to_previous: bool = False,
        encoded: np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_items = num_items
        self.request_features = tuple(request_features)
        self.item_features = tuple(item_features)
        self.history_features = tuple(history_features)
        self.history_size = history_size
        self.item_embedding_dim = item_embedding_dim
        self.hidden_units = tuple(hidden_units)
        self.adds_to_previous = adds_to_previous
        policy = self.dtype_policy
        self.request_encoder = RequestEncoder(self.request_features, dtype=policy)
        self.item_encoder = ItemEncoder(num_items, self.item_features, item_embedding_dim, encoded, dtype=policy)
        self.history_encoder = HistoryEncoder(self.item_encoder, self.history_features, dtype=policy)

    @property
    def item_tables(self) -> dict[str, tf.keras.layers.Embedding]:
        """Tables by name whose rows are those of the catalogue, beside the item encoder's embedding."""
        return {}

    @abc.abstractmethod
    def encode_request(self, batch: Batch) -> Any:
        """Returns what the tower needs of each request, tensors with a leading `batch_size` axis."""

    @abc.abstractmethod
    def score(self, state: Any, item: tf.Tensor) -> tf.Tensor:
        """Returns float32 `[batch_size, num_candidates]` for int32 catalogue rows of that shape."""

    def score_after(self, state: Any, item: tf.Tensor, previous: tf.Tensor | None) -> tf.Tensor:
        """Returns the stage's scores, which start from those of the stage before it if `adds_to_previous` says so.

        No gradient flows to the stage before: it is taught by what it does itself, not by what is added to it.

        Args:
          state: what `encode_request` returned.
          item: int32 `[batch_size, num_candidates]` catalogue rows.
          previous: `[batch_size, num_candidates]` scores of the stage before; `None` for the first one.
        """
        scores = self.score(state, item)
        return scores + tf.stop_gradient(previous) if self.adds_to_previous else scores

    def call(self, batch: Batch) -> tf.Tensor:
        """Returns the scores `[batch_size, list_size]` of a training batch's candidates."""
        return self.score(self.encode_request(batch), batch["candidate_item"])

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments but `encoded`, which is restored as a weight."""
        return {
            **super().get_config(),
            "num_items": self.num_items,
            "request_features": [dataclasses.asdict(feature) for feature in self.request_features],
            "item_features": [dataclasses.asdict(feature) for feature in self.item_features],
            "history_features": [dataclasses.asdict(feature) for feature in self.history_features],
            "history_size": self.history_size,
            "item_embedding_dim": self.item_embedding_dim,
            "hidden_units": list(self.hidden_units),
            "adds_to_previous": self.adds_to_previous,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Tower":
        """Builds a tower from `get_config`; its weights, the item table among them, are to be restored."""
        features = {
            "request_features": [EncodedFeature(**feature) for feature in config["request_features"]],
            "item_features": [EncodedFeature(**feature) for feature in config["item_features"]],
            "history_features": [HistoryFeature(**feature) for feature in config["history_features"]],
        }
        return cls(**{**config, **features})
