"""The typed configuration of a training run."""

import dataclasses
from typing import Literal

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.checks import check_kind, check_not_negative, check_positive
from trainer.config.index import IndexConfig
from trainer.config.losses import LossConfig
from trainer.config.towers import TOWERS, Din, TowerConfig, TwoTower

DecayKind = Literal["linear", "none"]
KeptEpochKind = Literal["best", "last"]
OptimizerKind = Literal["adam", "lazy_adam"]
PrecisionKind = Literal["float32", "bfloat16", "float16"]
DistributionKind = Literal["none", "mirrored", "multi_worker"]
OrderKind = Literal["shuffled", "chronological"]


@dataclasses.dataclass(frozen=True)
class StageConfig:
    """One stage of the cascade.

    Args:
      name: folder and model name of the stage, `"retrieval"` for the first.
      tower: its scoring model, with the settings that it has. That of the first stage `finds`.
      capacity: items it passes on when it serves (`q_t`).
      list_capacity: items it passes on within a logged list in the in-list metrics (and in training, if the loss
        says so); `None` stands for the size of the list's ground truth. Where all stages say `None`, retrieval
        alone decides what leaves the cascade, so give each stage its own to see the cascade at work.
      min_candidate_stage: least `candidate_stage` of the logged items that it trains on where stages are trained apart
        (`bce`); such a stage sees what earlier ones let through.
      adds_to_previous: whether its score is its tower's plus that of the stage before it, through which nothing is
        learned: the stage then starts from the order that it receives. Not for the first stage.
    """

    name: str
    tower: TowerConfig
    capacity: int
    list_capacity: int | None = None
    min_candidate_stage: int = 0
    adds_to_previous: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.tower, TowerConfig):
            raise ValueError(
                f"`tower` must be a tower with its settings, such as `Din()`. Received: tower={self.tower!r}"
            )
        check_positive(self, "capacity")
        if self.list_capacity is not None:
            check_positive(self, "list_capacity")
        check_not_negative(self, "min_candidate_stage")


@dataclasses.dataclass(frozen=True)
class TrainerConfig:
    """One training run.

    Args:
      stages: the cascade in funnel order, at least two.
      loss: the losses.
      item_embedding_dim: width of the item id embedding.
      epochs: passes over the training days, at most.
      patience: epochs without a better end-to-end recall on the evaluation days after which training stops; `None`
        makes all epochs.
      kept_epoch: whose weights are released: those of the `"best"`, by that recall, which is one inside the lists, or
        of the `"last"`, where the whole catalogue counts and the learning rate has come down.
      batch_size: requests per step.
      order: of an epoch's requests: all `"shuffled"`, or `"chronological"`: day after day, shuffled within each, as
        the paper trains.
      optimizer: of the network. `"adam"` moves every row of every embedding table in each step, by its moments, as the
        paper does; `"lazy_adam"` only those that the step looks up, for tables of millions of rows.
      learning_rate: of the optimiser at the start.
      learning_rate_decay: `"linear"` brings it down to zero at the end of the run, `"none"` keeps it.
      history_dropout: share of a history's events that a training step does not see.
      weight_learning_rate: of the Adam of the loss weights.
      seed: of initialisation, shuffling and sampling.
      distribution: over what a batch is spread. `"mirrored"` stands for the GPUs of this machine, `"multi_worker"` for
        those of all processes that TF_CONFIG names. The number of devices changes no result but for rounding.
      num_devices: of `"mirrored"`; `None` means all GPUs. Without a GPU, the processor is cut into as many.
      precision: of the towers' arithmetic in training, whose weights stay float32, as do losses, metrics and what is
        exported. `"float16"` scales the loss, and leaves out a step whose gradient is too large for it.
      jit_compile: whether XLA compiles the training step.
      checkpoints: how often the state of the run is saved.
      index: how the exported models search the catalogue.
    """

    stages: tuple[StageConfig, ...] = (
        StageConfig("retrieval", TwoTower(), 200),
        StageConfig("ranking", Din(), 50),
    )
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    item_embedding_dim: int = 16
    epochs: int = 2
    patience: int | None = None
    kept_epoch: KeptEpochKind = "best"
    batch_size: int = 256
    order: OrderKind = "shuffled"
    optimizer: OptimizerKind = "adam"
    learning_rate: float = 1e-3
    learning_rate_decay: DecayKind = "linear"
    history_dropout: float = 0.0
    weight_learning_rate: float = 1e-2
    seed: int = 17
    distribution: DistributionKind = "none"
    num_devices: int | None = None
    precision: PrecisionKind = "float32"
    jit_compile: bool = False
    checkpoints: CheckpointConfig = dataclasses.field(default_factory=CheckpointConfig)
    index: IndexConfig = dataclasses.field(default_factory=IndexConfig)

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if len(names) < 2:
            raise ValueError(f"`stages` must hold at least two stages. Received: {names}")
        if len(set(names)) != len(names) or "cascade" in names:
            raise ValueError(f"`stages` must have distinct names other than 'cascade'. Received: {names}")
        if self.stages[0].name != "retrieval" or not self.stages[0].tower.finds:
            kinds = [kind for kind, tower in TOWERS.items() if tower.finds]
            raise ValueError(
                f"The first stage must be named 'retrieval' and be one of {kinds}. "
                f"Received: {self.stages[0].name!r}, {self.stages[0].tower.kind!r}"
            )
        if self.stages[0].adds_to_previous:
            raise ValueError("`adds_to_previous` must be false for the first stage. Received: adds_to_previous=True")
        capacities = [stage.capacity for stage in self.stages]
        if sorted(capacities, reverse=True) != capacities:
            raise ValueError(f"Stage capacities must not grow along the funnel. Received: {capacities}")
        in_lists = [stage.list_capacity for stage in self.stages if stage.list_capacity is not None]
        if sorted(in_lists, reverse=True) != in_lists:
            raise ValueError(f"Stage list capacities must not grow along the funnel. Received: {in_lists}")
        check_positive(self, "item_embedding_dim", "epochs", "batch_size", "learning_rate", "weight_learning_rate")
        if self.patience is not None:
            check_positive(self, "patience")
            if self.kept_epoch == "last":
                raise ValueError(
                    f"`patience` must be `None` where `kept_epoch` is 'last'. Received: patience={self.patience}"
                )
        check_kind(self, "kept_epoch", KeptEpochKind)
        check_kind(self, "order", OrderKind)
        check_kind(self, "optimizer", OptimizerKind)
        check_kind(self, "learning_rate_decay", DecayKind)
        if not 0 <= self.history_dropout < 1:
            raise ValueError(f"`history_dropout` must be in [0, 1). Received: history_dropout={self.history_dropout}")
        self._check_devices()
        self._check_method()

    def _check_devices(self) -> None:
        check_kind(self, "distribution", DistributionKind)
        check_kind(self, "precision", PrecisionKind)
        if self.num_devices is not None:
            check_positive(self, "num_devices")
            if self.distribution != "mirrored":
                raise ValueError(
                    "`num_devices` must be `None` unless `distribution` is 'mirrored'. "
                    f"Received: num_devices={self.num_devices}, distribution={self.distribution!r}"
                )
        if self.jit_compile and (self.optimizer == "lazy_adam" or self.distribution != "none"):
            raise ValueError(
                "`jit_compile` needs `optimizer` 'adam', as XLA compiles anew for each number of rows, and "
                f"`distribution` 'none'. Received: optimizer={self.optimizer!r}, distribution={self.distribution!r}"
            )

    def _check_method(self) -> None:
        """What the chosen loss asks of the stages."""
        method = self.loss.method
        for stage in self.stages:
            if method.needs_list_capacities and stage.list_capacity is None:
                raise ValueError(
                    f"`list_capacity` of every stage must be set for the method {method.kind!r}. "
                    f"Received: list_capacity=None of {stage.name!r}"
                )
        method.check(len(self.stages))
