"""From parsed examples to the weights of the epoch that is kept."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from trainer.config.losses import CatalogueLossConfig
from trainer.config.trainer import PrecisionKind, TrainerConfig
from trainer.data.batches import RequestBatches
from trainer.data.input import Requests
from trainer.data.request_batch import CANDIDATE_ITEM, GROUND_TRUTH, LABELS, WHERE, empty_batch
from trainer.data.training_data import TrainingData
from trainer.model.cascade_model import CascadeModel
from trainer.model.catalogue_loss import positive_weight
from trainer.release.training_record import WarmStartRecord
from trainer.release.warm_start import warm_start
from trainer.reporting import Report
from trainer.training.best_epoch import BestEpoch
from trainer.training.checkpoints.run_state import RunState
from trainer.training.checkpoints.store import CheckpointStore
from trainer.training.fit import fit
from trainer.training.progress import Progress, parameter_table
from trainer.training.replicas.strategy import devices_line, open_strategy

BEST_METRIC = "val_end_to_end_recall"

_BLOCK_SIZE = 1 << 16


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """What came of a run.

    Args:
      model: with the weights of the epoch that is kept, in float32 on one device.
      best_epoch: counts from 1.
      best_value: `BEST_METRIC` after it.
      state: where the run stood at its end.
      item_log_frequency: what the function of that name returned.
      warm_start: what was taken of an earlier model, if it started from one.
    """

    model: CascadeModel
    best_epoch: int
    best_value: float
    state: RunState
    item_log_frequency: np.ndarray
    warm_start: WarmStartRecord | None


def train_model(
    config: TrainerConfig,
    data: TrainingData,
    *,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
    store: CheckpointStore | None = None,
    warm_start_dir: str | None = None,
    strategy: tf.distribute.Strategy | None = None,
    report: Report,
) -> TrainedModel:
    """Trains a cascade on parsed examples; the same arguments give the same model on the same machine.

    Args:
      config: the training run.
      data: what it reads.
      callbacks: as `fit` takes them, beside the lines about progress.
      store: the run's checkpoints, which it goes on from; `None` keeps none.
      warm_start_dir: the cascade's SavedModel to start from; `None` starts from random weights.
      strategy: of `open_strategy(config)`, which `None` opens.
      report: gets lines about progress.

    Raises:
      DivergedError: the loss became infinite or not a number.
      CheckpointError: a checkpoint could not be written or read.
    """
    log_frequency = item_log_frequency(data.train_requests, data.item_table.num_items, config.loss.catalogue)
    batches = training_batches(config, data)
    strategy = open_strategy(config) if strategy is None else strategy
    with strategy.scope():
        model = build_model(config, data, log_frequency, precision=config.precision)
        model.compile(num_steps=config.epochs * batches.num_steps)
    report(devices_line(strategy))
    report(parameter_table(model))
    warm_start_record = None
    if warm_start_dir is not None:
        warm_start_record = warm_start(model, warm_start_dir, data.vocabularies)
        report(str(warm_start_record))
    best = BestEpoch(BEST_METRIC, config.patience, takes_last=config.kept_epoch == "last")
    state = fit(
        model,
        batches,
        RequestBatches(data.eval_requests, config.batch_size),
        best=best,
        callbacks=[Progress(report, data.num_train_requests, config), *callbacks],
        store=store,
        report=report,
    )
    if config.distribution != "none" or config.precision != "float32":
        model = build_model(config, data, log_frequency)  # in float32 and on one device, as it is served
        model.compile()
        best.set_model(model)
    best.restore()
    return TrainedModel(model, best.epoch, best.value, state, log_frequency, warm_start_record)


def build_model(
    config: TrainerConfig, data: TrainingData, log_frequency: np.ndarray, *, precision: PrecisionKind = "float32"
) -> CascadeModel:
    """Returns the cascade of a run with its first weights, which the seed decides, not compiled.

    Args:
      config: the training run.
      data: what it reads.
      log_frequency: what `item_log_frequency` returns.
      precision: that the towers compute in.
    """
    tf.keras.utils.set_random_seed(config.seed)
    model = CascadeModel(config, data.features, data.request_features, data.item_table, log_frequency, precision)
    model(empty_batch(data.features, data.request_features))
    return model


def training_batches(config: TrainerConfig, data: TrainingData) -> RequestBatches:
    """Returns the batches that a run trains on, in its order."""
    return RequestBatches(data.train_requests, config.batch_size, shuffle_seed=config.seed, order=config.order)


def item_log_frequency(requests: Requests, num_items: int, loss: CatalogueLossConfig) -> np.ndarray:
    """Log-probability of each catalogue row among the positives of the catalogue terms, `-inf` where it never occurs.

    Args:
      requests: the training split.
      num_items: items of the catalogue.
      loss: of the catalogue, says which candidates are positives.

    Returns:
      float64 `[num_items + 1]`.
    """
    names = (CANDIDATE_ITEM, WHERE, LABELS, GROUND_TRUTH)
    counts = np.zeros(num_items + 1, np.int64)
    for start in range(0, len(requests[CANDIDATE_ITEM]), _BLOCK_SIZE):  # the split may be larger than memory
        block = {name: requests[name][start : start + _BLOCK_SIZE] for name in names}
        positives = block[CANDIDATE_ITEM][positive_weight(loss, block).numpy() > 0]
        np.add.at(counts, positives, 1)
    with np.errstate(divide="ignore"):
        return np.log(counts / max(counts.sum(), 1))
