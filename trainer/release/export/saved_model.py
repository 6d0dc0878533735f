"""One SavedModel: its signatures, and only the weights that they read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from serving import signatures
from trainer.index.search_query import SearchQuery
from trainer.release.export.gradients import remove_custom_gradients
from trainer.release.export.request_inputs import Batch, RequestInputs
from trainer.release.export.retrieval_index import RetrievalIndex
from trainer.release.export.top_items import answer
from trainer.release.export.warm_up import write_warm_up_requests

Signatures = dict[str, Any]
"""Traced functions by signature name."""

Find = Callable[[Batch, SearchQuery], tuple[tf.Tensor, tf.Tensor]]
"""`find(batch, query)` -> rows and scores `[B, n]`, the best `query.size` first."""

Score = Callable[[Batch, tf.Tensor], tf.Tensor]
"""`score(batch, row [B, N])` -> scores `[B, N]`."""

_SCANN_OPERATIONS = "Scann"
_EXAMPLES_SPEC = tf.TensorSpec([None], tf.string, signatures.EXAMPLES)
_K_SPEC = tf.TensorSpec([None], tf.int32, signatures.K)


def recommending_signatures(
    find: Find, inputs: RequestInputs, index: RetrievalIndex, *, raw_name: str, examples_name: str
) -> Signatures:
    """Signatures that answer with the best items of the catalogue.

    Args:
      find: the search.
      inputs: reads the requests.
      index: says what a request may ask of the search.
      raw_name: name of the signature with raw-tensor inputs.
      examples_name: name of the one with serialized examples.
    """
    filters = {signatures.filter_input(name): name for name in index.filters.names}
    has_leaves = index.config.takes_num_probed_leaves

    def search_query(k: tf.Tensor, lists: Mapping[str, tf.Tensor], num_probed_leaves: tf.Tensor | None) -> SearchQuery:
        return SearchQuery(
            size=tf.maximum(tf.reduce_max(k), 0),
            excluded_row=inputs.lookup.rows(lists[signatures.EXCLUDE_ITEM_ID]),
            filters={name: index.filters.encode(name, lists[key]) for key, name in filters.items()},
            num_probed_leaves=num_probed_leaves,
        )

    def recommend(**raw: tf.Tensor) -> dict[str, tf.Tensor]:
        k = raw[signatures.K]
        rows, scores = find(inputs.from_raw(raw), search_query(k, raw, raw.get(signatures.NUM_PROBED_LEAVES)))
        return answer(rows, scores, k, inputs.lookup)

    def recommend_examples(examples: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        batch, ragged = inputs.from_examples(examples, filters)
        num_probed_leaves = inputs.num_probed_leaves(examples) if has_leaves else None
        lists = {name: values.to_tensor() for name, values in ragged.items()}
        rows, scores = find(batch, search_query(k, lists, num_probed_leaves))
        return answer(rows, scores, k, inputs.lookup)

    specs = inputs.raw_specs() | {signatures.K: _K_SPEC}
    for name in (signatures.EXCLUDE_ITEM_ID, *filters):
        specs[name] = tf.TensorSpec([None, None], tf.string, name)
    if has_leaves:
        specs[signatures.NUM_PROBED_LEAVES] = tf.TensorSpec([None], tf.int32, signatures.NUM_PROBED_LEAVES)
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


def save_model(path: str, functions: Signatures, resources: Sequence[tf.Module], *, default: str) -> None:
    """Writes a SavedModel that holds the variables which its signatures read and no other, and warm-up requests.

    Args:
      path: folder to write.
      functions: of `recommending_signatures` and `scoring_signatures`.
      resources: what they read beside variables: tables and the Transform graph.
      default: name of the signature that is also `serving_default`.
    """
    module = tf.Module()
    module.resources = list(resources)
    module.weights = list({id(v): v for function in functions.values() for v in function.variables}.values())
    functions = functions | {tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: functions[default]}
    options = tf.saved_model.SaveOptions(namespace_whitelist=[_SCANN_OPERATIONS], experimental_custom_gradients=False)
    tf.saved_model.save(module, path, signatures=functions, options=options)
    remove_custom_gradients(path)
    write_warm_up_requests(path, functions)


def _traced(function: Callable[..., Any], specs: Mapping[str, tf.TensorSpec]) -> Any:
    return tf.function(function, autograph=False).get_concrete_function(**specs)
