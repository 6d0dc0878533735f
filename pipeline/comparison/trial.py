"""One training run of a comparison: a method with a seed, trained and judged."""

import dataclasses
import functools
import time

import numpy as np

from pipeline.comparison.judge import judge
from pipeline.comparison.outcome import Outcome
from pipeline.comparison.setup import Setup
from pipeline.comparison.streaming import stream
from trainer.data.features import FeatureSpec
from trainer.data.training_data import TrainingData, read_training_data
from trainer.data.training_files import TrainingFiles
from trainer.monitoring.monitoring import Monitoring
from trainer.reporting import Report
from trainer.training.checkpoints.open_store import open_store
from trainer.training.train_model import build_model, item_log_frequency, train_model


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
      CheckpointError: a checkpoint could not be written or read.
    """
    if setup.streaming:
        return _run_stream(setup, method, seed, report)
    start_s = time.monotonic()
    config, features = setup.with_method(method, seed).trainer, setup.experiment.features
    data = _training_data(features, setup.data.training, setup.packed_dir)
    store = open_store(
        str(setup.folder / "checkpoints"),
        config,
        features,
        encoded_features=[*data.request_features, *data.item_table.features],
        files=setup.data.training.by_content,
        source_hash=setup.source_hash,
        report=report,
    )
    log_dir = setup.folder / "tensorboard" / f"{method}-{seed}"
    with Monitoring(str(log_dir), kept_dir=store.folder / "logs", report=report) as monitoring:
        trained = train_model(config, data, callbacks=monitoring.callbacks, store=store, report=report)
        monitoring.finish(trained.state.epochs[trained.best_epoch - 1])
    metrics = judge(setup, trained.model, report)
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


def _run_stream(setup: Setup, method: str, seed: int, report: Report) -> Outcome:
    start_s = time.monotonic()
    config, features = setup.with_method(method, seed).trainer, setup.experiment.features
    files = dataclasses.replace(setup.data.training, eval_files=setup.data.test_files)
    data = _training_data(features, files, setup.packed_dir)
    log_frequency = item_log_frequency(data.train_requests, data.item_table.num_items, config.loss.catalogue)
    model = build_model(config, data, log_frequency, precision=config.precision)
    model.compile()
    streaming_s = time.monotonic()
    days = stream(model, data, report)
    names = {"list/recall": "end_to_end_recall"}
    names |= {f"list/{stage.name}/recall": f"{stage.name}_recall" for stage in config.stages}
    days = {day: {name: metrics[theirs] for name, theirs in names.items()} for day, metrics in days.items()}
    return Outcome(
        method=method,
        seed=seed,
        key=setup.key(method, seed),
        metrics={name: float(np.mean([metrics[name] for metrics in days.values()])) for name in names},
        training_s=time.monotonic() - streaming_s,
        run_s=time.monotonic() - start_s,
        num_parameters=model.count_params(),
        days=days,
    )


@functools.lru_cache(maxsize=1)
def _training_data(features: FeatureSpec, files: TrainingFiles, packed_dir: str) -> TrainingData:
    return read_training_data(features, files, packed_dir=packed_dir, report=lambda line: None)
