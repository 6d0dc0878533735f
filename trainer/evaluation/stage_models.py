"""The stages of an exported release, run the way serving runs them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from serving import signatures
from trainer.evaluation.subject import Stage, Subject


class StageModels:
    """The models of a cascade's stages.

    Args:
      stages: in funnel order.
      functions: signatures of each stage by its name, as its SavedModel has them.
      owner: what has to stay alive for the signatures to work.

    Raises:
      ValueError: if a model lacks a signature.
    """

    def __init__(
        self, stages: Sequence[Stage], functions: Mapping[str, Mapping[str, Any]], *, owner: Any = None
    ) -> None:
        self.stages = tuple(stages)
        self._owner = owner
        self._retrieve = _signature(functions, self.stages[0].name, signatures.RETRIEVE_EXAMPLES)
        self._score = [_signature(functions, stage.name, signatures.SCORE_EXAMPLES) for stage in self.stages]

    def retrieve(self, examples: tf.Tensor) -> np.ndarray:
        """Returns the items that the first stage passes on.

        Args:
          examples: string `[B]`, serialized request examples; their `exclude_item_id` is left out.

        Returns:
          Item ids, bytes `[B, capacity]`, best first, `b""` in empty slots.
        """
        k = tf.fill(tf.shape(examples), self.stages[0].capacity)
        outputs = self._call(0, self._retrieve, {signatures.EXAMPLES: examples, signatures.K: k})
        return outputs[signatures.ITEM_ID].numpy()

    def score(self, stage_index: int, examples: tf.Tensor) -> np.ndarray:
        """Returns the scores of the candidates of each example, float32 `[B, N]`, N the longest list."""
        outputs = self._call(stage_index, self._score[stage_index], {signatures.EXAMPLES: examples})
        return outputs[signatures.SCORES].numpy()

    def rank(self, stage_index: int, examples: tf.Tensor, item_ids: np.ndarray) -> np.ndarray:
        """Orders items that the stage before passed on, and passes the best on.

        Args:
          stage_index: position of the stage in the funnel.
          examples: string `[B]`, serialized request examples; their candidates are replaced.
          item_ids: bytes `[B, N]`, best first, `b""` in empty slots.

        Returns:
          Item ids, bytes `[B, min(N, capacity)]`, best first, `b""` in empty slots.
        """
        scores = self.score(stage_index, _with_candidates(examples, item_ids))
        scores = np.where(item_ids == b"", signatures.LOWEST_SCORE, scores)
        order = np.argsort(-scores, axis=1, kind="stable")[:, : self.stages[stage_index].capacity]
        return np.take_along_axis(item_ids, order, axis=1)

    def _call(self, stage_index: int, signature: Any, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        name = self.stages[stage_index].name
        try:
            outputs = signature(**inputs)
        except (tf.errors.OpError, TypeError) as error:
            raise ValueError(f"The model of stage {name!r} cannot read the requests: {error}") from error
        if np.isnan(outputs[signatures.SCORES].numpy()).any():
            raise ValueError(f"The model of stage {name!r} scored items with NaN")
        return outputs


def load_stage_models(subject: Subject) -> StageModels:
    """Loads the SavedModels of a release's stages.

    Raises:
      ValueError: if a model cannot be loaded or lacks a signature.
    """
    models = {stage.name: _load(subject.model_dirs[stage.name]) for stage in subject.stages}
    return StageModels(subject.stages, {name: model.signatures for name, model in models.items()}, owner=models)


def _with_candidates(examples: tf.Tensor, item_ids: np.ndarray) -> tf.Tensor:
    """Gives request examples other candidates.

    Serialized messages merge when they are concatenated, and of a map entry that comes twice the last one counts.
    """
    merged = []
    for serialized, row in zip(examples.numpy(), item_ids, strict=True):
        candidates = tf.train.Feature(bytes_list=tf.train.BytesList(value=row))
        features = tf.train.Features(feature={signatures.CANDIDATE_ITEM_ID: candidates})
        merged.append(serialized + tf.train.Example(features=features).SerializeToString())
    return tf.constant(merged)


def _load(model_dir: str) -> Any:
    if not tf.saved_model.contains_saved_model(model_dir):
        raise ValueError(f"There is no SavedModel in {model_dir!r}")
    try:
        return tf.saved_model.load(model_dir)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ValueError(f"The SavedModel in {model_dir!r} cannot be loaded: {error}") from error


def _signature(functions: Mapping[str, Mapping[str, Any]], stage_name: str, signature: str) -> Any:
    if signature not in functions[stage_name]:
        raise ValueError(
            f"The model of stage {stage_name!r} must have the signature {signature!r}. "
            f"Received: {sorted(functions[stage_name])}"
        )
    return functions[stage_name][signature]
