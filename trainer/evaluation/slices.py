"""End-to-end recall by user activity, item age and request features."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from trainer.evaluation.catalogue import UNKNOWN, Catalogue
from trainer.evaluation.config import SliceConfig
from trainer.evaluation.funnel import Funnel
from trainer.evaluation.recall import mean_recall, pooled_recall, recall_interval
from trainer.evaluation.requests import Requests

_MS_PER_DAY = 86_400_000
OTHER = "(other)"


@dataclasses.dataclass(frozen=True)
class SliceMetrics:
    """End-to-end recall at one k on one slice of the ground truth.

    Args:
      dimension: what is sliced by: `history_size`, `item_age_days` or a request feature.
      value: the bucket or value.
      k: size of the delivered list.
      num_requests: requests with ground truth in the slice.
      num_ground_truth: ground-truth items in the slice.
      recall: pooled over the slice.
      recall_low: lower end of its 95 % confidence interval.
      recall_high: upper end.
      mean_recall: mean over the requests of the slice.
    """

    dimension: str
    value: str
    k: int
    num_requests: int
    num_ground_truth: int
    recall: float
    recall_low: float
    recall_high: float
    mean_recall: float


def slice_metrics(
    config: SliceConfig, funnel: Funnel, requests: Requests, catalogue: Catalogue, ks: Sequence[int]
) -> list[SliceMetrics]:
    """Breaks recall down by slices of the ground truth; slices without any are left out.

    Args:
      config: the slices.
      funnel: of the release.
      requests: that it was run on.
      catalogue: gives upload times.
      ks: sizes of the delivered list.

    Returns:
      One entry per slice and k.
    """
    metrics = []
    for dimension, names, index in _dimensions(config, requests, catalogue):
        for value, name in enumerate(names):
            inside = index == value
            request = funnel.request[inside]
            for k in ks if len(request) else ():
                hits = funnel.hits(k)[inside]
                low, high = recall_interval(hits, request)
                metrics.append(
                    SliceMetrics(
                        dimension=dimension,
                        value=name,
                        k=k,
                        num_requests=len(np.unique(request)),
                        num_ground_truth=len(request),
                        recall=pooled_recall(hits),
                        recall_low=low,
                        recall_high=high,
                        mean_recall=mean_recall(hits, request),
                    )
                )
    return metrics


def _dimensions(
    config: SliceConfig, requests: Requests, catalogue: Catalogue
) -> Iterator[tuple[str, list[str], np.ndarray]]:
    """Yields each dimension's name, its slices, and the slice `[G]` of each ground-truth item."""
    truth = requests.ground_truth
    yield "history_size", *_by_history_size(config.history_sizes, requests.history_size[truth.request])

    upload_time_ms = np.where(truth.item >= 0, catalogue.upload_time_ms[truth.item], UNKNOWN)
    age_days = (requests.request_time_ms[truth.request] - upload_time_ms) / _MS_PER_DAY
    names, index = _by_age(config.item_age_days, age_days)
    yield "item_age_days", [*names, "unknown"], np.where(upload_time_ms == UNKNOWN, len(names), index)

    for feature in config.request_features:
        names, index = _by_value(requests.values[feature], config.max_values)
        yield feature, names, index[truth.request]


def _by_history_size(edges: Sequence[int], sizes: np.ndarray) -> tuple[list[str], np.ndarray]:
    starts = [0, *edges]
    names = [str(start) if end == start + 1 else f"{start}-{end - 1}" for start, end in itertools.pairwise(starts)]
    return [*names, f"{starts[-1]}+"], np.searchsorted(edges, sizes, side="right")


def _by_age(edges: Sequence[float], age_days: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Items uploaded after the request, by the data, are the youngest."""
    starts = [0.0, *edges]
    names = [f"{start:g}-{end:g}" for start, end in itertools.pairwise(starts)]
    return [*names, f"{starts[-1]:g}+"], np.searchsorted(edges, age_days, side="right")


def _by_value(values: np.ndarray, max_values: int) -> tuple[list[str], np.ndarray]:
    names, inverse, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    by_count = np.argsort(-counts, kind="stable")
    slot = np.empty(len(names), np.int64)
    slot[by_count] = np.minimum(np.arange(len(names)), max_values)
    shown = [str(names[index]) for index in by_count[:max_values]]
    return shown + [OTHER] * (len(names) > max_values), slot[inverse]
