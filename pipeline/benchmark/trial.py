"""One training run of a comparison: a method with a seed, trained and judged."""

import dataclasses
import functools
import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.benchmark.methods import METHODS
from pipeline.benchmark.outcome import Outcome
from pipeline.benchmark.prepared_data import PreparedData
from pipeline.experiment import ExperimentConfig
from trainer.cascade_model import CascadeModel
from trainer.checkpoints.open_store import open_store
from trainer.config_json import to_json
from trainer.evaluation.catalogue import Catalogue, read_catalogue
from trainer.evaluation.funnel import run_funnel
from trainer.evaluation.lists import list_metrics
from trainer.evaluation.manifest import Stage
from trainer.evaluation.progress import Progress
from trainer.evaluation.requests import Requests, read_requests
from trainer.evaluation.stage_models import StageModels
from trainer.export.export_models import stage_signatures
from trainer.features import FeatureSpec
from trainer.item_lookup import write_item_ids
from trainer.monitoring.monitoring import Monitoring
from trainer.train_model import train_model
from trainer.training_data import TrainingData, read_training_data

Report = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Setup:
    """What all runs of a comparison share.

    Args:
      experiment: with the overrides of the comparison.
      data: what they are trained and judged on.
      data_hash: of the raw logs.
      source_hash: of the code that trains and judges.
      folder: of the comparison; checkpoints and logs of the runs lie below it.
    """

    experiment: ExperimentConfig
    data: PreparedData
    data_hash: str
    source_hash: str
    folder: Path

    def with_method(self, method: str, seed: int) -> ExperimentConfig:
        """Returns the experiment of one run."""
        return self.experiment.with_overrides({**METHODS[method].overrides, "trainer.seed": str(seed)})

    def key(self, method: str, seed: int) -> str:
        """Returns 16 hexadecimal digits of everything that the figures of one run depend on."""
        parts = [to_json(self.with_method(method, seed)), self.data_hash, self.source_hash]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def run_trial(setup: Setup, method: str, seed: int, report: Report) -> Outcome:
    """Trains and judges; a run that was killed goes on from its checkpoint.

    Args:
      setup: of the comparison.
      method: a key of `METHODS`.
      seed: of the run.
      report: gets the lines of the training and of the evaluation.

    Returns:
      The outcome.

    Raises:
      DivergedError: the loss became infinite or not a number.
      CheckpointError: a checkpoint could not be written.
    """
    start_s = time.monotonic()
    config, features = setup.with_method(method, seed).trainer, setup.experiment.features
    data = _training_data(features, setup.data)
    files = {"training": setup.data.train_files, "evaluation": setup.data.eval_files}
    store = open_store(
        str(setup.folder / "checkpoints"),
        config,
        features,
        encoded_features=[*data.request_features, *data.item_table.features],
        files=files,
        source_hash=setup.source_hash,
        report=report,
    )
    log_dir = setup.folder / "tensorboard" / f"{method}-{seed}"
    with Monitoring(str(log_dir), kept_dir=store.folder / "logs", report=report) as monitoring:
        trained = train_model(config, data, callbacks=monitoring.callbacks, store=store, report=report)
        monitoring.finish(trained.state.epochs[trained.best_epoch - 1])
    metrics = _judge(setup, trained.model, report)
    store.clear()
    return Outcome(
        method=method,
        seed=seed,
        key=setup.key(method, seed),
        metrics=metrics,
        training_s=trained.state.elapsed_s,
        run_s=time.monotonic() - start_s,
        num_parameters=trained.model.count_params(),
    )


def _judge(setup: Setup, model: CascadeModel, report: Report) -> dict[str, float]:
    """The paper's metrics inside the lists of all test requests, and ours over the whole catalogue.

    The functions are those of the exported models, called without saving them.
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
            model, request_transform_dir=data.request_transform_dir, item_ids_path=item_ids.name
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
def _training_data(features: FeatureSpec, data: PreparedData) -> TrainingData:
    return read_training_data(
        features,
        request_transform_dir=data.request_transform_dir,
        catalogue_transform_dir=data.catalogue_transform_dir,
        train_files=data.train_files,
        eval_files=data.eval_files,
        catalogue_files=data.catalogue_files,
        report=lambda line: None,
    )


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
