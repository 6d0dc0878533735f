"""What a training run was and what came of it."""

import dataclasses

from trainer.catalogue_misses import CatalogueMisses


@dataclasses.dataclass(frozen=True)
class EpochRecord:
    """One pass over the training requests.

    Args:
      epoch: counts from 1.
      duration_s: seconds of training and validation.
      train: mean of every metric over the pass.
      validation: every metric on the evaluation split after it.
    """

    epoch: int
    duration_s: float
    train: dict[str, float]
    validation: dict[str, float]


@dataclasses.dataclass(frozen=True)
class TrainingRecord:
    """One training run.

    Args:
      num_train_requests: requests of the training split.
      num_eval_requests: requests of the evaluation split.
      num_items: items of the catalogue.
      catalogue_misses: items of both splits, and how many of them the catalogue lacks.
      num_parameters: trainable parameters of all stages.
      duration_s: seconds from reading the examples to the end of the last epoch.
      best_epoch: epoch, from 1, whose weights were kept: the one of the best end-to-end recall.
      epochs: every pass.
    """

    num_train_requests: int
    num_eval_requests: int
    num_items: int
    catalogue_misses: CatalogueMisses
    num_parameters: int
    duration_s: float
    best_epoch: int
    epochs: tuple[EpochRecord, ...]
