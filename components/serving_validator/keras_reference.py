"""The scores that the Keras model gives to requests as the trainer reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from serving import signatures
from trainer.data.input import read_requests
from trainer.data.preprocessing import missing_value
from trainer.model.towers.tower import Tower
from trainer.release.candidate import load_model

_ITEMS_PER_BLOCK = 1024  # a ranking tower holds the history beside every item of a block


class KerasReference:
    """Scores requests by the training path: transformed examples, the trainer's input, the Keras model.

    Args:
      candidate_dir: the candidate release.
      transformed_path: gzipped TFRecord file of transformed request examples.
    """

    def __init__(self, candidate_dir: str, transformed_path: str):
        self._model = load_model(candidate_dir)
        table = self._model.item_table
        request_features = self._model.stages[0].request_features
        self._requests, _ = read_requests([transformed_path], self._model.features, request_features, table.item_ids)
        self._row_by_id = {item_id: row for row, item_id in enumerate(table.item_ids, start=1)}

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages in funnel order."""
        return tuple(stage.name for stage in self._model.config.stages)

    @property
    def capacities(self) -> tuple[int, ...]:
        """Items that each stage passes on."""
        return tuple(stage.capacity for stage in self._model.config.stages)

    @property
    def index_is_exact(self) -> bool:
        """Whether the exported retrieval stage finds the best items for certain."""
        return self._model.config.index.kind == "exact"

    @property
    def missing_values(self) -> dict[str, bytes | int | float]:
        """What stands for a missing scalar in a raw-tensor request, by feature name."""
        values = {feature.name: missing_value(feature) for feature in self._model.features.request}
        values[signatures.NUM_PROBED_LEAVES] = 0
        return {name: value.encode() if isinstance(value, str) else value for name, value in values.items()}

    def score(self, stage: str, request: int, item_ids: Sequence[bytes]) -> np.ndarray:
        """Scores items for one request.

        Args:
          stage: name of the stage.
          request: index of the request.
          item_ids: the items.

        Returns:
          float32 `[num_items]`; the lowest float32 for items that the catalogue lacks.
        """
        rows = np.array([self._row_by_id.get(item_id, 0) for item_id in item_ids], np.int32)
        if not len(rows):
            return np.zeros(0, np.float32)
        last = self.stages.index(stage)
        first = max(index for index in range(last + 1) if not self._model.stages[index].adds_to_previous)
        batch, towers = self._batch(request), self._model.stages[first : last + 1]
        states = [tower.encode_request(batch) for tower in towers]
        blocks = np.split(rows, range(_ITEMS_PER_BLOCK, len(rows), _ITEMS_PER_BLOCK))
        scores = np.concatenate([_score(towers, states, block[np.newaxis]) for block in blocks])
        return np.where(rows > 0, scores, np.float32(signatures.LOWEST_SCORE))

    def best_retrieval_scores(self, request: int, k: int, excluded_ids: Sequence[bytes]) -> np.ndarray:
        """Returns the k best scores of the first stage over the whole catalogue without the excluded items."""
        excluded = set(excluded_ids)
        allowed = [item_id for item_id in self._row_by_id if item_id not in excluded]
        return np.sort(self.score(self.stages[0], request, allowed))[::-1][:k]

    def _batch(self, request: int) -> dict[str, tf.Tensor]:
        return {name: tf.constant(values[request : request + 1]) for name, values in self._requests.items()}


def _score(towers: Sequence[Tower], states: Sequence[Any], item: np.ndarray) -> np.ndarray:
    """Returns float32 `[num_items]` of the last tower for `item` `[1, num_items]`, the others are added up to it."""
    scores: Any = None
    for tower, state in zip(towers, states, strict=True):
        scores = tower.score_after(state, item, scores)
    return scores[0].numpy()
