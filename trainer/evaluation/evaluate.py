"""Evaluates a candidate release on logged requests and decides whether it may be pushed."""

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence

import numpy as np

from trainer.evaluation.catalogue import Catalogue, read_catalogue
from trainer.evaluation.config import EvaluationConfig
from trainer.evaluation.files import write_text
from trainer.evaluation.gate import decide
from trainer.evaluation.popularity import popularity_metrics, popularity_positions, popularity_ranks
from trainer.evaluation.recall import pooled_recall, recall_interval
from trainer.evaluation.release_evaluation import ReleaseEvaluation, evaluate_release
from trainer.evaluation.report import render_report
from trainer.evaluation.requests import Requests, read_requests
from trainer.evaluation.result import BASELINE, CANDIDATE, EvaluationResult
from trainer.evaluation.slices import slice_metrics
from trainer.evaluation.subject import Stage, Subject
from trainer.reporting import Report

JSON_NAME = "evaluation.json"
HTML_NAME = "evaluation.html"

_CURVE_POINTS = 30


def evaluate(
    config: EvaluationConfig,
    candidate: Subject,
    *,
    request_files: Sequence[str],
    catalogue_files: Sequence[str],
    train_request_files: Sequence[str],
    baseline: Subject | None = None,
    oracle: Mapping[int, float] | None = None,
    output_dir: str | None = None,
    report: Report | None = None,
) -> EvaluationResult:
    """Runs a candidate release the way serving does, over the whole catalogue and inside logged lists.

    Args:
      config: what to measure and what the release must reach.
      candidate: the candidate release.
      request_files: TFRecord GZIP files of test request examples, raw as the example generator wrote them.
      catalogue_files: TFRecord GZIP files of raw catalogue examples.
      train_request_files: TFRecord GZIP files of training request examples, for popularity.
      baseline: the release that was pushed last; `None` if there is none. Inside lists its stages get the list
        capacities of the candidate's.
      oracle: best possible pooled recall by k, where known.
      output_dir: folder for `evaluation.json` and `evaluation.html`; `None` writes nothing.
      report: gets lines of progress.

    Returns:
      Metrics and the gate's decision.

    Raises:
      ValueError: if the input cannot be read, a candidate model is broken or the config does not fit the release.
    """
    start_s = time.monotonic()
    _check_ks(config, candidate.stages)
    catalogue = read_catalogue(catalogue_files)
    requests = read_requests(
        request_files,
        catalogue,
        ground_truth_stage=candidate.ground_truth_stage,
        batch_size=config.batch_size,
        max_requests=config.max_requests,
        request_features=config.slices.request_features,
    )
    popular = _popularity_positions(config, train_request_files, catalogue, requests)
    popularity = {
        name: popularity_metrics(positions, requests.ground_truth.request, config.ks)
        for name, positions in popular.items()
    }

    def evaluate_subject(name: str, subject: Subject) -> ReleaseEvaluation:
        return evaluate_release(
            subject, name=name, config=config, requests=requests, catalogue=catalogue, report=report
        )

    releases = {CANDIDATE: evaluate_subject(CANDIDATE, candidate)}
    metrics, funnel = releases[CANDIDATE].metrics, releases[CANDIDATE].funnel
    baseline_error = None
    if baseline is not None:
        try:
            stages = _with_list_capacities(baseline.stages, candidate.stages)
            releases[BASELINE] = evaluate_subject(BASELINE, dataclasses.replace(baseline, stages=stages))
        except ValueError as error:
            baseline_error = str(error)
    baseline_metrics = releases[BASELINE].metrics if BASELINE in releases else None

    curve_ks = np.unique(np.geomspace(1, config.ks[-1], _CURVE_POINTS).round().astype(int)).tolist()
    result = EvaluationResult(
        decision=decide(
            config.gate,
            metrics,
            default_metric=config.default_metric,
            popularity=popularity,
            baseline=baseline_metrics,
            baseline_error=baseline_error,
            num_excluded_returned=funnel.num_excluded_returned,
        ),
        metrics=metrics,
        intervals={f"recall@{k}": recall_interval(funnel.hits(k), funnel.request) for k in config.ks},
        popularity=popularity,
        baseline=baseline_metrics,
        baseline_error=baseline_error,
        oracle={f"recall@{k}": recall for k, recall in sorted((oracle or {}).items())},
        attribution={
            name: {f"recall@{k}": release.funnel.attribution(k) for k in config.ks}
            for name, release in releases.items()
        },
        slices=tuple(slice_metrics(config.slices, funnel, requests, catalogue, config.ks)),
        stages=funnel.stages,
        capacities=funnel.capacities,
        list_capacities=tuple(stage.list_capacity for stage in candidate.stages),
        ks=config.ks,
        curve_ks=tuple(curve_ks),
        curves=_curves(curve_ks, releases, popular),
        num_requests=len(requests),
        num_requests_without_ground_truth=len(requests) - len(np.unique(funnel.request)),
        num_ground_truth=len(funnel.request),
        num_items=catalogue.num_items,
        num_excluded_returned=funnel.num_excluded_returned,
        elapsed_s=time.monotonic() - start_s,
    )
    if output_dir is not None:
        write_text(os.path.join(output_dir, HTML_NAME), render_report(result))
        write_text(os.path.join(output_dir, JSON_NAME), result.to_json())
    return result


def _popularity_positions(
    config: EvaluationConfig, files: Sequence[str], catalogue: Catalogue, requests: Requests
) -> dict[str, np.ndarray]:
    """Positions of the ground truth in each popularity list, by the list's name."""
    ranks_by_list = popularity_ranks(
        files,
        catalogue,
        min_stages={"ground_truth": requests.ground_truth_stage, "exposures": config.exposure_stage},
        days=config.popularity_days,
        batch_size=config.batch_size,
    )
    positions = {}
    for name, ranks in ranks_by_list.items():
        positions[name] = popularity_positions(ranks, requests, remove_excluded=False)
        positions[f"{name}_without_excluded"] = popularity_positions(ranks, requests, remove_excluded=True)
    return positions


def _curves(
    ks: Sequence[int], releases: Mapping[str, ReleaseEvaluation], popular: Mapping[str, np.ndarray]
) -> dict[str, tuple[float, ...]]:
    curves = {name: tuple(pooled_recall(each.funnel.hits(k)) for k in ks) for name, each in releases.items()}
    return curves | {
        f"popularity_{name}": tuple(pooled_recall(positions < k) for k in ks) for name, positions in popular.items()
    }


def _with_list_capacities(stages: Sequence[Stage], others: Sequence[Stage]) -> tuple[Stage, ...]:
    """Gives stages the list capacities of others of their name, so that metrics inside lists can be compared."""
    capacities = {stage.name: stage.list_capacity for stage in others}
    return tuple(
        dataclasses.replace(stage, list_capacity=capacities.get(stage.name, stage.list_capacity)) for stage in stages
    )


def _check_ks(config: EvaluationConfig, stages: Sequence[Stage]) -> None:
    last = stages[-1]
    if config.ks[-1] > last.capacity:
        raise ValueError(
            f"`ks` must not exceed what the release delivers, the {last.capacity} items of {last.name!r}. "
            f"Received: ks={config.ks}"
        )
