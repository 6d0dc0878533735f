"""The same most popular items for everyone: what a model has to beat."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from trainer.evaluation.catalogue import Catalogue
from trainer.evaluation.examples import INT64, INT64_LIST, STRING, STRING_LIST, read_batches
from trainer.evaluation.pairs import NOWHERE, Pairs
from trainer.evaluation.recall import mean_recall, pooled_recall
from trainer.evaluation.requests import Requests, aligned

_MS_PER_DAY = 86_400_000


def popularity_ranks(
    files: Sequence[str],
    catalogue: Catalogue,
    *,
    min_stages: Mapping[str, int],
    days: float | None,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Ranks the catalogue by how often its items were logged at a stage or deeper.

    Args:
      files: TFRecord GZIP files of training request examples.
      catalogue: the items.
      min_stages: `candidate_stage` from which on a candidate counts, by the name of the list.
      days: count the requests of so many last days, reckoned from the latest request; `None` counts all.
      batch_size: examples per parsed batch.

    Returns:
      int64 `[num_items]` by the name of the list: rank from 0, ties in catalogue order, `NOWHERE` for items never
      counted.
    """
    since_ms = -np.inf if days is None else _latest_time_ms(files, batch_size) - days * _MS_PER_DAY
    features = {
        "request_id": STRING,
        "request_time_ms": INT64,
        "candidate_item_id": STRING_LIST,
        "candidate_stage": INT64_LIST,
    }
    counts = {name: np.zeros(catalogue.num_items, np.int64) for name in min_stages}
    for batch in read_batches(files, features, batch_size=batch_size):
        recent = tf.constant(batch["request_time_ms"].numpy() > since_ms)
        stage = tf.ragged.boolean_mask(aligned(batch, "candidate_stage"), recent).flat_values.numpy()
        rows = catalogue.rows(tf.ragged.boolean_mask(batch["candidate_item_id"], recent).flat_values.numpy())
        for name, min_stage in min_stages.items():
            counts[name] += np.bincount(rows[(rows >= 0) & (stage >= min_stage)], minlength=catalogue.num_items)
    return {name: _ranks(each) for name, each in counts.items()}


def popularity_positions(ranks: np.ndarray, requests: Requests, *, remove_excluded: bool) -> np.ndarray:
    """Finds the ground truth in the list of the most popular items.

    Args:
      ranks: int64 `[num_items]`, as `popularity_ranks` returns them.
      requests: the test requests.
      remove_excluded: whether the items that a request excludes leave its list, so that others move up.

    Returns:
      int64 `[G]`, position of each ground-truth item, `NOWHERE` if it is not in the list.
    """
    truth, excluded = requests.ground_truth, requests.excluded
    rank = _ranks_of(truth, ranks)
    if not remove_excluded:
        return rank
    stride = NOWHERE + 1
    before = np.sort(excluded.request * stride + _ranks_of(excluded, ranks))
    first = truth.request * stride
    num_removed = np.searchsorted(before, first + rank) - np.searchsorted(before, first)
    gone = (rank == NOWHERE) | truth.isin(excluded, len(ranks))
    return np.where(gone, NOWHERE, rank - num_removed)


def popularity_metrics(positions: np.ndarray, request: np.ndarray, ks: Sequence[int]) -> dict[str, float]:
    """Returns `recall@<k>` and `mean_recall@<k>` by name, for positions `[G]` and the request of each item `[G]`."""
    metrics = {f"recall@{k}": pooled_recall(positions < k) for k in ks}
    return metrics | {f"mean_recall@{k}": mean_recall(positions < k, request) for k in ks}


def _ranks(counts: np.ndarray) -> np.ndarray:
    ranks = np.empty(len(counts), np.int64)
    ranks[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.where(counts > 0, ranks, NOWHERE)


def _ranks_of(pairs: Pairs, ranks: np.ndarray) -> np.ndarray:
    return np.where(pairs.item >= 0, ranks[pairs.item], NOWHERE)


def _latest_time_ms(files: Sequence[str], batch_size: int) -> int:
    times_ms = [
        int(batch["request_time_ms"].numpy().max())
        for batch in read_batches(files, {"request_time_ms": INT64}, batch_size=batch_size)
    ]
    if not times_ms:
        raise ValueError(f"There must be at least one training request. Received: files={list(files)}")
    return max(times_ms)
