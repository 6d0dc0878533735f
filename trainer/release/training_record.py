"""What a training run was and what came of it."""

import dataclasses

from trainer.data.catalogue_misses import CatalogueMisses


@dataclasses.dataclass(frozen=True)
class EpochRecord:
    """One pass over the training requests.

    Args:
      epoch: counts from 1.
      duration_s: seconds of training and validation.
      train: mean of every metric over the pass.
      validation: every metric on the evaluation split after it.
      waiting_s: seconds for which the steps waited for their batches; of an epoch that was interrupted, since then.
    """

    epoch: int
    duration_s: float
    train: dict[str, float]
    validation: dict[str, float]
    waiting_s: float = 0.0


@dataclasses.dataclass(frozen=True)
class WarmStartTable:
    """An embedding table of a run that started from an earlier model; the row of everything unknown does not count.

    Args:
      name: `<stage>/<group>/<feature>`.
      num_kept: ids that both models know; they have the earlier embedding.
      num_new: ids that only this model knows.
      num_dropped: ids that only the earlier model knew.
    """

    name: str
    num_kept: int
    num_new: int
    num_dropped: int


@dataclasses.dataclass(frozen=True)
class WarmStartRecord:
    """What a training run took of an earlier model.

    Args:
      source: folder of the earlier model's weights.
      tables: embedding tables of ids.
      kept: all other weights that were taken.
      initialized: those that were not, since they mean something else now, or are new.
    """

    source: str
    tables: tuple[WarmStartTable, ...]
    kept: tuple[str, ...]
    initialized: tuple[str, ...]

    def __str__(self) -> str:
        stages_by_line: dict[str, list[str]] = {}  # what is the same in several stages is said once
        for table in self.tables:
            stage, _, name = table.name.partition("/")
            line = f"{name}: {table.num_kept:,} rows kept, {table.num_new:,} new, {table.num_dropped:,} dropped"
            stages_by_line.setdefault(line, []).append(stage)
        lines = [f"warm start from {self.source}"]
        lines += [f"  {line} ({', '.join(stages)})" for line, stages in stages_by_line.items()]
        lines.append(f"  other weights: {len(self.kept)} kept, {len(self.initialized)} initialized")
        return "\n".join([*lines, *(f"    {name}" for name in self.initialized)])


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
      warm_start: what was taken of an earlier model, if it started from one.
    """

    num_train_requests: int
    num_eval_requests: int
    num_items: int
    catalogue_misses: CatalogueMisses
    num_parameters: int
    duration_s: float
    best_epoch: int
    epochs: tuple[EpochRecord, ...]
    warm_start: WarmStartRecord | None = None
