"""The training run: from transformed examples to a candidate release."""

import contextlib
from pathlib import Path

import numpy as np

from trainer.config.trainer import TrainerConfig
from trainer.data.bad_batch import write_bad_batch
from trainer.data.features import FeatureSpec
from trainer.data.input import Requests
from trainer.data.training_data import TrainingData, read_training_data
from trainer.data.training_files import TrainingFiles
from trainer.index.build import check_available
from trainer.monitoring.monitoring import Monitoring
from trainer.monitoring.projector import write_projector
from trainer.release.candidate import write_candidate
from trainer.release.refresh.material import RefreshMaterial
from trainer.release.training_record import TrainingRecord
from trainer.release.warm_start import warm_start_files
from trainer.reporting import Report
from trainer.training.checkpoints.open_store import open_store
from trainer.training.finite_loss import DivergedError
from trainer.training.replicas.strategy import open_strategy
from trainer.training.replicas.workers import Workers
from trainer.training.train_model import BEST_METRIC, train_model, training_batches

_NUM_SAMPLE_REQUESTS = 256


def train(
    config: TrainerConfig,
    features: FeatureSpec,
    files: TrainingFiles,
    *,
    output_dir: str,
    log_dir: str,
    checkpoint_dir: str | None = None,
    packed_dir: str | None = None,
    source_hash: str = "",
    warm_start_dir: str | None = None,
    profile: bool = False,
    report: Report | None = None,
) -> TrainingRecord:
    """Trains a cascade and writes its candidate release.

    The weights kept are those after the epoch of the best end-to-end recall inside the lists of the evaluation
    split, unless `config.kept_epoch` says the last. With the same seed, data and machine a run gives the same model,
    whether it was interrupted or not: killed at any moment and called again with the same arguments, it goes on from
    its newest checkpoint.

    Of several workers (`distribution="multi_worker"`) each calls this with the same arguments; the chief alone reads
    and writes checkpoints, logs and the release.

    Args:
      config: the training run.
      features: the features of the data set.
      files: what it reads.
      output_dir: folder of the candidate release, empty or not there.
      log_dir: folder of the TensorBoard logs.
      checkpoint_dir: local folder of the checkpoints of unfinished runs, which each have a folder of their own in it;
        a run that is over removes its own. `None` saves none.
      packed_dir: local folder of packed requests: both splits are parsed to disk once, and found there by every later
        run on the same data. `None` parses them into memory.
      source_hash: of the code that runs; checkpoints of other code are not used.
      warm_start_dir: the cascade's SavedModel of an earlier release, `<candidate>/models/cascade` or
        `<serving base>/cascade/<version>`, to start from. `None` starts from random weights.
      profile: whether to trace a few steps for TensorBoard's profiler.
      report: gets lines about progress; `None` stays silent.

    Returns:
      The record that the candidate release holds too.

    Raises:
      ValueError: the examples do not fit the features, a split is empty, or the devices are not there.
      DivergedError: the loss became infinite or not a number. The message names a file with the ids of the requests
        of that step, in the folder of the run's checkpoints (of the logs where there are none).
      CheckpointError: a checkpoint could not be written or read.
      PackedRequestsError: the packed requests could not be written.
    """
    report = report or (lambda line: None)
    check_available(config.index)
    strategy = open_strategy(config)
    is_chief = Workers(strategy).is_chief
    data = read_training_data(features, files, packed_dir=packed_dir, report=report)
    store = None
    if checkpoint_dir is not None and is_chief:
        warm_start = {} if warm_start_dir is None else {"warm start": warm_start_files(warm_start_dir)}
        store = open_store(
            checkpoint_dir,
            config,
            features,
            encoded_features=[*data.request_features, *data.item_table.features],
            files={**files.by_content, **warm_start},
            source_hash=source_hash,
            report=report,
        )
    kept_dir = store.folder / "logs" if store else None
    monitoring = Monitoring(log_dir, kept_dir=kept_dir, profile=profile, report=report) if is_chief else None
    try:
        with monitoring or contextlib.nullcontext():
            trained = train_model(
                config,
                data,
                callbacks=monitoring.callbacks if monitoring else [],
                store=store,
                warm_start_dir=warm_start_dir,
                strategy=strategy,
                report=report,
            )
            if monitoring:
                monitoring.finish(trained.state.epochs[trained.best_epoch - 1])
    except DivergedError as error:
        if not is_chief:
            raise
        folder = store.folder if store else Path(log_dir)
        path = write_bad_batch(folder, training_batches(config, data), error.step, files.train_files)
        raise DivergedError(f"{error}. The ids of that step's requests are in {path}", error.step) from error

    model, epochs = trained.model, trained.state.epochs
    record = TrainingRecord(
        num_train_requests=data.num_train_requests,
        num_eval_requests=data.num_eval_requests,
        num_items=data.item_table.num_items,
        catalogue_misses=data.misses,
        num_parameters=sum(int(np.prod(weight.shape)) for stage in model.stages for weight in stage.trainable_weights),
        duration_s=data.read_s + trained.state.elapsed_s,
        best_epoch=trained.best_epoch,
        epochs=epochs,
        warm_start=trained.warm_start,
    )
    report(f"kept epoch {trained.best_epoch} of {len(epochs)}: {BEST_METRIC} {trained.best_value:.4f}")
    if not is_chief:
        return record
    write_projector(
        log_dir,
        model,
        item_log_frequency=trained.item_log_frequency,
        vocabularies=data.vocabularies,
    )
    write_candidate(
        output_dir,
        model,
        material=RefreshMaterial(
            config=model.config,
            features=features,
            request_features=data.request_features,
            request_transform_dir=files.request_transform_dir,
            catalogue_transform_dir=files.catalogue_transform_dir,
            item_ids=data.item_table.item_ids,
            requests=_sample(data),
        ),
        vocabularies=data.vocabularies,
        record=record,
    )
    report(f"wrote {output_dir}")
    if store is not None:
        store.clear()
    return record


def _sample(data: TrainingData) -> Requests:
    """The request part of some requests from all over the evaluation split."""
    rows = np.linspace(0, data.num_eval_requests - 1, _NUM_SAMPLE_REQUESTS).astype(int)
    names = [feature.name for feature in data.request_features]
    names += [name for name in data.eval_requests if name.startswith("history_")]
    return {name: data.eval_requests[name][np.unique(rows)] for name in names}
