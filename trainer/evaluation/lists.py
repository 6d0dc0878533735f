"""Metrics inside logged lists: each stage on the whole list, and all of them one after the other."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from trainer.data.labels import graded_labels
from trainer.evaluation.catalogue import Catalogue
from trainer.evaluation.examples import EXAMPLES, FLOAT_LIST, INT64_LIST, STRING, STRING_LIST, read_batches
from trainer.evaluation.kendall_tau import KendallTau
from trainer.evaluation.ndcg import Ndcg
from trainer.evaluation.requests import Requests, aligned
from trainer.evaluation.stage_models import StageModels
from trainer.model.recall import Recall
from trainer.reporting import Progress

METRICS: Mapping[str, Callable[[], tf.keras.metrics.Metric]] = {
    "ndcg@10": lambda: Ndcg(10),
    "kendall_tau": KendallTau,
}
"""Of the scores and labels of a stage, by the last part of their name; their state is updated by scores, labels and
`where`."""

_FEATURES = {
    "request_id": STRING,
    "candidate_item_id": STRING_LIST,
    "candidate_stage": INT64_LIST,
    "candidate_rank": INT64_LIST,
    "candidate_label": FLOAT_LIST,
}

_LIST_SIGNATURE = [
    tf.TensorSpec([None, None, None], tf.float32),
    tf.TensorSpec([None, None], tf.float32),
    tf.TensorSpec([None, None], tf.bool),
    tf.TensorSpec([None, None], tf.bool),
]


def list_metrics(
    models: StageModels, requests: Requests, catalogue: Catalogue, *, batch_size: int, progress: Progress
) -> dict[str, float]:
    """Measures a release inside the logged lists.

    Candidates that the catalogue lacks are left out of their list; lists without ground truth do not count towards
    recall. A stage whose `list_capacity` is `None` passes on as many items as the list has ground truth.

    Args:
      models: of the release.
      requests: to use the lists of.
      catalogue: the items that exist.
      batch_size: requests per call of a model.
      progress: counts the requests.

    Returns:
      `list/recall` (end to end), `list/<stage>/recall` (the stage alone on the full list) and, of the names in
      `METRICS`, `list/<stage>/<name>`; each the mean over lists.
    """
    capacities = [stage.list_capacity for stage in models.stages]
    recalls = [Recall([capacity]) for capacity in capacities]
    others = [{name: metric() for name, metric in METRICS.items()} for _ in capacities]
    recall = Recall(capacities)

    @tf.function(input_signature=_LIST_SIGNATURE, autograph=False)
    def update(stage_scores: tf.Tensor, labels: tf.Tensor, ground_truth: tf.Tensor, where: tf.Tensor) -> None:
        scores_by_stage = [stage_scores[index] for index in range(len(capacities))]
        recall.update_state(scores_by_stage, ground_truth, where)
        for scores, stage_recall, of_stage in zip(scores_by_stage, recalls, others, strict=True):
            stage_recall.update_state([scores], ground_truth, where)
            for metric in of_stage.values():
                metric.update_state(scores, labels, where)

    for batch in read_batches(requests.files, _FEATURES, batch_size=batch_size, max_examples=len(requests)):
        item_ids = batch["candidate_item_id"].to_tensor(b"").numpy()
        where = tf.constant(catalogue.rows(item_ids) >= 0)
        stage, rank = aligned(batch, "candidate_stage"), aligned(batch, "candidate_rank")
        ground_truth = where & (stage.to_tensor(-1) >= requests.ground_truth_stage)
        labels = graded_labels(stage, rank, batch["candidate_label"])
        stage_scores = [models.score(index, batch[EXAMPLES]) for index in range(len(models.stages))]
        for described, scores in zip(models.stages, stage_scores, strict=True):
            _check_shape(scores, item_ids, described.name)
        update(np.stack(stage_scores), labels, ground_truth, where)
        progress.add(len(item_ids))

    metrics = {"list/recall": float(recall.result())}
    for stage, stage_recall, of_stage in zip(models.stages, recalls, others, strict=True):
        metrics[f"list/{stage.name}/recall"] = float(stage_recall.result())
        metrics |= {f"list/{stage.name}/{name}": float(metric.result()) for name, metric in of_stage.items()}
    return metrics


def _check_shape(scores: np.ndarray, item_ids: np.ndarray, stage_name: str) -> None:
    if scores.shape != item_ids.shape:
        raise ValueError(
            f"The model of stage {stage_name!r} must score every candidate. "
            f"Expected scores of shape {item_ids.shape}. Received: {scores.shape}"
        )
