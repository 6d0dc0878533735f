"""One SavedModel: its signatures, and only the weights that they read."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from serving import signatures
from trainer.export.request_inputs import Batch, RequestInputs
from trainer.export.top_items import answer

Signatures = dict[str, Any]
"""Traced functions by signature name."""

Find = Callable[[Batch, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""`find(batch, excluded_row [B, E], size)` -> rows and scores `[B, n]`, the best `size` first."""

Score = Callable[[Batch, tf.Tensor], tf.Tensor]
"""`score(batch, row [B, N])` -> scores `[B, N]`."""

_EXAMPLES_SPEC = tf.TensorSpec([None], tf.string, signatures.EXAMPLES)
_K_SPEC = tf.TensorSpec([None], tf.int32, signatures.K)


def recommending_signatures(find: Find, inputs: RequestInputs, *, raw_name: str, examples_name: str) -> Signatures:
    """Signatures that answer with the best items of the catalogue.

    Args:
      find: the search.
      inputs: reads the requests.
      raw_name: name of the signature with raw-tensor inputs.
      examples_name: name of the one with serialized examples.
    """

    def recommend(**raw: tf.Tensor) -> dict[str, tf.Tensor]:
        k = raw[signatures.K]
        excluded_row = inputs.lookup.rows(raw[signatures.EXCLUDE_ITEM_ID])
        rows, scores = find(inputs.from_raw(raw), excluded_row, _size(k))
        return answer(rows, scores, k, inputs.lookup)

    def recommend_examples(examples: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        batch, lists = inputs.from_examples(examples)
        excluded_row = inputs.lookup.rows(lists[signatures.EXCLUDE_ITEM_ID].to_tensor())
        rows, scores = find(batch, excluded_row, _size(k))
        return answer(rows, scores, k, inputs.lookup)

    excluded = tf.TensorSpec([None, None], tf.string, signatures.EXCLUDE_ITEM_ID)
    specs = inputs.raw_specs() | {signatures.EXCLUDE_ITEM_ID: excluded, signatures.K: _K_SPEC}
    return {
        raw_name: _traced(recommend, specs),
        examples_name: _traced(recommend_examples, {signatures.EXAMPLES: _EXAMPLES_SPEC, signatures.K: _K_SPEC}),
    }


def scoring_signatures(score: Score, inputs: RequestInputs) -> Signatures:
    """The signatures `score` and `score_examples` of a stage.

    Args:
      score: scores of catalogue rows.
      inputs: reads the requests.
    """

    def scores_of(batch: Batch, candidate_item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        row = inputs.lookup.rows(candidate_item_id)
        return {signatures.SCORES: tf.where(row > 0, score(batch, row), signatures.LOWEST_SCORE)}

    def score_raw(**raw: tf.Tensor) -> dict[str, tf.Tensor]:
        return scores_of(inputs.from_raw(raw), raw[signatures.CANDIDATE_ITEM_ID])

    def score_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch, lists = inputs.from_examples(examples)
        return scores_of(batch, lists[signatures.CANDIDATE_ITEM_ID].to_tensor())

    candidates = tf.TensorSpec([None, None], tf.string, signatures.CANDIDATE_ITEM_ID)
    return {
        signatures.SCORE: _traced(score_raw, inputs.raw_specs() | {signatures.CANDIDATE_ITEM_ID: candidates}),
        signatures.SCORE_EXAMPLES: _traced(score_examples, {signatures.EXAMPLES: _EXAMPLES_SPEC}),
    }


def save_model(path: str, functions: Signatures, inputs: RequestInputs, *, default: str) -> None:
    """Writes a SavedModel that holds the variables which its signatures read and no other.

    Args:
      path: folder to write.
      functions: of `recommending_signatures` and `scoring_signatures`.
      inputs: their request inputs, whose tables and Transform graph are saved too.
      default: name of the signature that is also `serving_default`.
    """
    module = tf.Module()
    module.inputs = inputs
    module.weights = list({id(v): v for function in functions.values() for v in function.variables}.values())
    functions = functions | {tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: functions[default]}
    tf.saved_model.save(module, path, signatures=functions)


def _traced(function: Callable[..., Any], specs: Mapping[str, tf.TensorSpec]) -> Any:
    return tf.function(function).get_concrete_function(**specs)


def _size(k: tf.Tensor) -> tf.Tensor:
    return tf.maximum(tf.reduce_max(k), 0)
