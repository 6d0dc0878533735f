"""The training run: from transformed examples to a candidate release."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from trainer.bad_batch import write_bad_batch
from trainer.batches import RequestBatches
from trainer.callbacks.best_epoch import BestEpoch
from trainer.callbacks.finite_loss import DivergedError
from trainer.callbacks.progress import Progress, Report, parameter_table
from trainer.callbacks.tensorboard import CascadeTensorBoard
from trainer.candidate import write_candidate
from trainer.cascade_model import OPTIMIZERS, CascadeModel
from trainer.catalogue_loss import positive_weight
from trainer.checkpoints.open_store import open_store
from trainer.config import TrainerConfig
from trainer.features import FeatureSpec
from trainer.fit import fit
from trainer.input import Requests, read_item_table, read_requests
from trainer.losses.config import CatalogueLossConfig
from trainer.preprocessing import encoded_features
from trainer.request_batch import CANDIDATE_ITEM, empty_batch
from trainer.training_record import TrainingRecord
from trainer.warm_start import vocabularies, warm_start, warm_start_files

BEST_METRIC = "val_end_to_end_recall"


def train(
    config: TrainerConfig,
    features: FeatureSpec,
    *,
    request_transform_dir: str,
    catalogue_transform_dir: str,
    train_files: Sequence[str],
    eval_files: Sequence[str],
    catalogue_files: Sequence[str],
    output_dir: str,
    log_dir: str,
    checkpoint_dir: str | None = None,
    source_hash: str = "",
    warm_start_dir: str | None = None,
    report: Report | None = None,
) -> TrainingRecord:
    """Trains a cascade and writes its candidate release.

    The weights kept are those after the epoch of the best end-to-end recall inside the lists of the evaluation
    split. With the same seed, data and machine a run gives the same model, whether it was interrupted or not: killed
    at any moment and called again with the same arguments, it goes on from its newest checkpoint.

    Args:
      config: the training run.
      features: the features of the data set.
      request_transform_dir: output folder of the requests' Transform.
      catalogue_transform_dir: output folder of the catalogue's Transform.
      train_files: gzipped TFRecord files of transformed requests to train on.
      eval_files: the same of the evaluation split.
      catalogue_files: gzipped TFRecord files of the transformed catalogue.
      output_dir: folder of the candidate release, empty or not there.
      log_dir: folder of the TensorBoard logs.
      checkpoint_dir: local folder of the checkpoints of unfinished runs, which each have a folder of their own in it;
        a run that is over removes its own. `None` saves none.
      source_hash: of the code that runs; checkpoints of other code are not used.
      warm_start_dir: the cascade's SavedModel of an earlier release, `<candidate>/models/cascade` or
        `<serving base>/cascade/<version>`, to start from. `None` starts from random weights.
      report: gets lines about progress; `None` stays silent.

    Returns:
      The record that the candidate release holds too.

    Raises:
      ValueError: the examples do not fit the features, or a split is empty.
      DivergedError: the loss became infinite or not a number. The message names a file with the ids of the requests
        of that step, in the folder of the run's checkpoints (of the logs where there are none).
      CheckpointError: a checkpoint could not be written.
    """
    start_s = time.monotonic()
    report = report or (lambda line: None)
    tf.keras.utils.set_random_seed(config.seed)
    request_transform = tft.TFTransformOutput(request_transform_dir)
    item_transform = tft.TFTransformOutput(catalogue_transform_dir)
    request_features = encoded_features(request_transform, features.request)
    item_features = encoded_features(item_transform, features.item)
    ids = vocabularies(request_transform, features.request, "request") | vocabularies(
        item_transform, features.item, "item"
    )
    item_table = read_item_table(catalogue_files, item_features)
    (train_requests, train_misses), (eval_requests, eval_misses) = (
        read_requests(files, features, request_features, item_table.item_ids) for files in (train_files, eval_files)
    )
    read_s = time.monotonic() - start_s
    num_train_requests, num_eval_requests = (len(split[CANDIDATE_ITEM]) for split in (train_requests, eval_requests))
    report(
        f"read {num_train_requests:,} training and {num_eval_requests:,} evaluation requests, "
        f"{item_table.num_items:,} items in {read_s:.1f} s"
    )
    if misses := train_misses + eval_misses:
        report(str(misses))

    store = None
    if checkpoint_dir is not None:
        files = {"training requests": train_files, "evaluation requests": eval_files, "catalogue": catalogue_files}
        if warm_start_dir is not None:
            files["warm start"] = warm_start_files(warm_start_dir)
        store = open_store(
            checkpoint_dir,
            config,
            features,
            encoded_features=[*request_features, *item_features],
            files=files,
            source_hash=source_hash,
            report=report,
        )
    model = CascadeModel(
        config,
        features,
        request_features,
        item_table,
        item_log_frequency(train_requests, item_table.num_items, config.loss.catalogue),
    )
    model(empty_batch(features, request_features))
    num_steps = config.epochs * -(-num_train_requests // config.batch_size)
    model.compile(OPTIMIZERS[config.optimizer](_learning_rate(config, num_steps)))
    report(parameter_table(model))
    warm_start_record = None
    if warm_start_dir is not None:
        warm_start_record = warm_start(model, warm_start_dir, ids)
        report(str(warm_start_record))
    best = BestEpoch(BEST_METRIC, config.patience)
    batches = RequestBatches(train_requests, config.batch_size, shuffle_seed=config.seed, order=config.order)
    try:
        state = fit(
            model,
            batches,
            RequestBatches(eval_requests, config.batch_size),
            best=best,
            callbacks=[Progress(report, num_train_requests, config), CascadeTensorBoard(log_dir)],
            store=store,
            report=report,
        )
    except DivergedError as error:
        path = write_bad_batch(store.folder if store else Path(log_dir), batches, error.step, train_files)
        raise DivergedError(f"{error}. The ids of that step's requests are in {path}", error.step) from error
    best.restore()

    record = TrainingRecord(
        num_train_requests=num_train_requests,
        num_eval_requests=num_eval_requests,
        num_items=item_table.num_items,
        catalogue_misses=misses,
        num_parameters=sum(int(np.prod(weight.shape)) for stage in model.stages for weight in stage.trainable_weights),
        duration_s=read_s + state.elapsed_s,
        best_epoch=best.epoch,
        epochs=state.epochs,
        warm_start=warm_start_record,
    )
    report(f"kept epoch {best.epoch} of {len(state.epochs)}: {BEST_METRIC} {best.value:.4f}")
    write_candidate(
        output_dir,
        model,
        request_features=request_features,
        request_transform_dir=request_transform_dir,
        record=record,
        vocabularies=ids,
    )
    report(f"wrote {output_dir}")
    if store is not None:
        store.clear()
    return record


def item_log_frequency(requests: Requests, num_items: int, loss: CatalogueLossConfig) -> np.ndarray:
    """Log-probability of each catalogue row among the positives of the catalogue terms, `-inf` where it never occurs.

    Args:
      requests: the training split.
      num_items: items of the catalogue.
      loss: of the catalogue, says which candidates are positives.

    Returns:
      float64 `[num_items + 1]`.
    """
    positives = requests[CANDIDATE_ITEM][positive_weight(loss, requests).numpy() > 0]
    counts = np.bincount(positives, minlength=num_items + 1)
    with np.errstate(divide="ignore"):
        return np.log(counts / max(counts.sum(), 1))


def _learning_rate(config: TrainerConfig, num_steps: int) -> float | tf.keras.optimizers.schedules.LearningRateSchedule:
    if config.learning_rate_decay == "none":
        return config.learning_rate
    return tf.keras.optimizers.schedules.PolynomialDecay(config.learning_rate, num_steps, end_learning_rate=0.0)
