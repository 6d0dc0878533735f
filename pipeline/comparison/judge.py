"""Judges a trained model as a release is judged, without exporting it."""

import functools
import tempfile
from collections.abc import Callable

from pipeline.comparison.prepared_data import PreparedData
from pipeline.comparison.setup import Setup
from trainer.data.item_lookup import write_item_ids
from trainer.evaluation.catalogue import Catalogue, read_catalogue
from trainer.evaluation.funnel import run_funnel
from trainer.evaluation.lists import list_metrics
from trainer.evaluation.requests import Requests, read_requests
from trainer.evaluation.stage_models import StageModels
from trainer.evaluation.subject import Stage
from trainer.model.cascade_model import CascadeModel
from trainer.release.export.export_models import stage_signatures
from trainer.reporting import Progress


def judge(setup: Setup, model: CascadeModel, report: Callable[[str], None]) -> dict[str, float]:
    """Measures the paper's metrics inside the lists of all test requests, and ours over the whole catalogue.

    Args:
      setup: of the comparison.
      model: the trained cascade. The functions are those of its exported models, called without saving them.
      report: gets lines of progress.

    Returns:
      The metrics of `list_metrics` and `Funnel.metrics` by name.
    """
    experiment, data = setup.experiment, setup.data
    config = experiment.evaluation
    stages = [Stage(stage.name, stage.capacity, stage.list_capacity) for stage in model.config.stages]
    catalogue = _catalogue(data.raw_catalogue_files)
    requests, of_catalogue = (
        _requests(data, experiment.features.ground_truth_stage, config.batch_size, max_requests)
        for max_requests in (config.max_requests, experiment.benchmark.max_catalogue_requests)
    )
    with tempfile.NamedTemporaryFile(prefix="lcron-item-ids-") as item_ids:
        write_item_ids(model.item_table.item_ids, item_ids.name)
        functions = stage_signatures(
            model, request_transform_dir=data.training.request_transform_dir, item_ids_path=item_ids.name
        )
        models = StageModels(stages, functions)
        in_lists = list_metrics(
            models,
            requests,
            catalogue,
            batch_size=config.batch_size,
            progress=Progress(report, "logged lists", len(requests)),
        )
        funnel = run_funnel(
            models,
            of_catalogue,
            catalogue,
            batch_size=config.batch_size,
            progress=Progress(report, "whole catalogue", len(of_catalogue)),
        )
    return in_lists | funnel.metrics(config.ks)


@functools.lru_cache(maxsize=1)
def _catalogue(files: tuple[str, ...]) -> Catalogue:
    return read_catalogue(files)


@functools.lru_cache(maxsize=2)
def _requests(data: PreparedData, ground_truth_stage: int, batch_size: int, max_requests: int | None) -> Requests:
    return read_requests(
        data.test_request_files,
        _catalogue(data.raw_catalogue_files),
        ground_truth_stage=ground_truth_stage,
        batch_size=batch_size,
        max_requests=max_requests,
    )
