"""The SavedModels of a cascade: one for each stage and the one-call model."""

import dataclasses
import os
from collections.abc import Sequence

import tensorflow as tf

from serving import signatures
from trainer.data.item_lookup import ItemLookup
from trainer.index.search_query import SearchQuery
from trainer.model.cascade_model import CascadeModel
from trainer.model.towers.tower import Tower
from trainer.release.export.request_inputs import Batch, RequestInputs
from trainer.release.export.retrieval_index import RetrievalIndex
from trainer.release.export.saved_model import (
    Find,
    Score,
    Signatures,
    recommending_signatures,
    save_model,
    scoring_signatures,
)
from trainer.release.export.top_items import top_items


def export_models(
    model: CascadeModel,
    index: RetrievalIndex,
    *,
    request_transform_dir: str,
    item_ids_path: str,
    models_dir: str,
) -> None:
    """Writes `<models_dir>/<stage>` for every stage and `<models_dir>/cascade`.

    Args:
      model: the trained cascade.
      index: of its catalogue.
      request_transform_dir: output folder of the requests' Transform.
      item_ids_path: file of the catalogue's item ids, as `write_item_ids` makes it.
      models_dir: folder to write into.
    """
    inputs = RequestInputs(model.features, request_transform_dir, ItemLookup(item_ids_path))
    scores = _stage_scores(model, index)
    for stage, functions in _stage_signatures(model, inputs, index, scores).items():
        is_retrieval = stage == signatures.RETRIEVAL
        resources = [inputs, index.filters] if is_retrieval else [inputs]
        default = signatures.RETRIEVE if is_retrieval else signatures.SCORE
        save_model(os.path.join(models_dir, stage), functions, resources, default=default)

    capacities = [stage.capacity for stage in model.config.stages]
    functions = recommending_signatures(
        _cascade(index.find, scores[1:], capacities),
        inputs,
        index,
        raw_name=signatures.RECOMMEND,
        examples_name=signatures.RECOMMEND_EXAMPLES,
    )
    path = os.path.join(models_dir, signatures.CASCADE)
    save_model(path, functions, [inputs, index.filters], default=signatures.RECOMMEND)


def stage_signatures(model: CascadeModel, *, request_transform_dir: str, item_ids_path: str) -> dict[str, Signatures]:
    """Returns the signatures of each stage's SavedModel by the stage's name, to call them without saving any.

    They take no filters.

    Args:
      model: the trained cascade.
      request_transform_dir: output folder of the requests' Transform.
      item_ids_path: file of the catalogue's item ids, as `write_item_ids` makes it.
    """
    inputs = RequestInputs(model.features, request_transform_dir, ItemLookup(item_ids_path))
    index = RetrievalIndex(model)
    return _stage_signatures(model, inputs, index, _stage_scores(model, index))


def _stage_signatures(
    model: CascadeModel, inputs: RequestInputs, index: RetrievalIndex, scores: Sequence[Score]
) -> dict[str, Signatures]:
    by_stage = {
        stage.name: scoring_signatures(score, inputs) for stage, score in zip(model.config.stages, scores, strict=True)
    }
    by_stage[signatures.RETRIEVAL] |= recommending_signatures(
        index.find, inputs, index, raw_name=signatures.RETRIEVE, examples_name=signatures.RETRIEVE_EXAMPLES
    )
    return by_stage


def _stage_scores(model: CascadeModel, index: RetrievalIndex) -> list[Score]:
    scores: list[Score] = [_traced_once(index.score)]
    for stage in model.stages[1:]:
        scores.append(_traced_once(_stage_score(stage, scores[-1])))
    return scores


def _stage_score(stage: Tower, previous: Score) -> Score:
    """Scores by one stage, which asks those before it where its scores start from theirs."""

    def score(batch: Batch, row: tf.Tensor) -> tf.Tensor:
        previous_scores = previous(batch, row) if stage.adds_to_previous else None
        return stage.score_after(stage.encode_request(batch), row, previous_scores)

    return score


def _traced_once(score: Score) -> Score:
    """All signatures that score call one function."""
    return tf.function(score, autograph=False)


def _cascade(retrieve: Find, scores: list[Score], capacities: list[int]) -> Find:
    """The stages one after the other, each passing on the best of what it receives."""

    def find(batch: Batch, query: SearchQuery) -> tuple[tf.Tensor, tf.Tensor]:
        rows, stage_scores = retrieve(batch, dataclasses.replace(query, size=capacities[0]))
        for score, capacity in zip(scores, capacities[1:], strict=True):
            stage_scores = tf.where(rows > 0, score(batch, rows), signatures.LOWEST_SCORE)
            rows, stage_scores = top_items(stage_scores, rows, capacity)
        return rows[:, : query.size], stage_scores[:, : query.size]

    return find
