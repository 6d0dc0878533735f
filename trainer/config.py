"""The typed configuration of a training run."""

import dataclasses
import math
from typing import Any, Literal, get_args

TowerKind = Literal["two_tower", "din", "mlp", "dcn"]
DecayKind = Literal["linear", "none"]
OperatorKind = Literal["neural_sort", "soft_sort"]


def _check_positive(config: Any, *names: str) -> None:
    for name in names:
        if not 0 < getattr(config, name) < math.inf:
            raise ValueError(f"`{name}` must be positive. Received: {name}={getattr(config, name)}")


def _check_kind(config: Any, name: str, kinds: Any) -> None:
    if getattr(config, name) not in get_args(kinds):
        raise ValueError(f"`{name}` must be one of {get_args(kinds)}. Received: {name}={getattr(config, name)!r}")


@dataclasses.dataclass(frozen=True)
class StageConfig:
    """One stage of the cascade.

    Args:
      name: folder and model name of the stage, `"retrieval"` for the first.
      tower: kind of its scoring model; the first stage is a `"two_tower"`.
      capacity: items it passes on when it serves (`q_t`).
      list_capacity: items it passes on within a logged list in the in-list metrics (and in training, if the loss
        says so); `None` stands for the size of the list's ground truth. Where all stages say `None`, retrieval
        alone decides what leaves the cascade, so give each stage its own to see the cascade at work.
      hidden_units: widths of its dense layers.
      output_dim: width of the user and item vectors of a two-tower stage.
      attention_units: hidden width of the attention over the history (two-tower and DIN).
    """

    name: str
    tower: TowerKind
    capacity: int
    list_capacity: int | None = None
    hidden_units: tuple[int, ...] = (128, 64)
    output_dim: int = 32
    attention_units: int = 32

    def __post_init__(self) -> None:
        _check_kind(self, "tower", TowerKind)
        _check_positive(self, "capacity", "output_dim", "attention_units")
        if self.list_capacity is not None:
            _check_positive(self, "list_capacity")
        if not self.hidden_units or min(self.hidden_units) < 1:
            raise ValueError(f"`hidden_units` must be positive widths. Received: hidden_units={self.hidden_units}")


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """LCRON (arXiv 2503.09492) and the sampled softmax that teaches every stage the whole catalogue.

    Args:
      operator: the sorting operator of the LCRON losses.
      temperature: of the operator for a list of `reference_list_size` items; it scales with the list.
      reference_list_size: list size at which `temperature` is meant (the paper: 50 at 40 items).
      negative_weight: factor on the negatives of each stage's own loss.
      use_list_capacities: whether the end-to-end term is trained at the stages' `list_capacity`; otherwise at the size
        of the list's ground truth, as the paper trains.
      sampled_softmax_weight: weight of each stage's catalogue term; 0 switches them off.
      num_sampled_negatives: catalogue items drawn per batch for that of retrieval, shared by the batch.
      num_retrieved_negatives: of those, items drawn per request by its retrieval scores for that of every later stage;
        0 leaves later stages to the logged lists.
      popularity_share: share of those drawn by popularity, in `[0, 1)`; the rest is uniform.
      sampled_softmax_temperature: divides the scores of the catalogue terms.
      positive_weights: weight in the catalogue terms of a candidate with label 0, 1, 2, ... (larger labels take the
        last); empty stands for 1 on the ground truth and 0 on the rest. Popularity counts candidates of any weight.
    """

    operator: OperatorKind = "neural_sort"
    temperature: float = 50.0
    reference_list_size: int = 40
    negative_weight: float = 1.0
    use_list_capacities: bool = False
    sampled_softmax_weight: float = 1.0
    num_sampled_negatives: int = 1024
    num_retrieved_negatives: int = 20
    popularity_share: float = 0.5
    sampled_softmax_temperature: float = 1.0
    positive_weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check_kind(self, "operator", OperatorKind)
        _check_positive(
            self, "temperature", "reference_list_size", "num_sampled_negatives", "sampled_softmax_temperature"
        )
        for name in ("negative_weight", "sampled_softmax_weight", "num_retrieved_negatives"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must not be negative. Received: {name}={getattr(self, name)}")
        if not 0 <= self.popularity_share < 1:
            raise ValueError(
                f"`popularity_share` must be in [0, 1). Received: popularity_share={self.popularity_share}"
            )
        if min(self.positive_weights, default=0.0) < 0:
            raise ValueError(
                f"`positive_weights` must not be negative. Received: positive_weights={self.positive_weights}"
            )


@dataclasses.dataclass(frozen=True)
class TrainerConfig:
    """One training run.

    Args:
      stages: the cascade in funnel order, at least two.
      loss: the losses.
      item_embedding_dim: width of the item id embedding.
      epochs: passes over the training days.
      batch_size: requests per step.
      learning_rate: of Adam at the start.
      learning_rate_decay: `"linear"` brings it down to zero at the end of the run, `"none"` keeps it.
      history_dropout: share of a history's events that a training step does not see.
      weight_learning_rate: of the Adam of the loss weights.
      seed: of initialisation, shuffling and sampling.
    """

    stages: tuple[StageConfig, ...] = (
        StageConfig("retrieval", "two_tower", 200, hidden_units=(128, 64), output_dim=32),
        StageConfig("ranking", "din", 50, hidden_units=(128, 64)),
    )
    loss: LossConfig = LossConfig()
    item_embedding_dim: int = 16
    epochs: int = 2
    batch_size: int = 256
    learning_rate: float = 1e-3
    learning_rate_decay: DecayKind = "linear"
    history_dropout: float = 0.0
    weight_learning_rate: float = 1e-2
    seed: int = 17

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if len(names) < 2:
            raise ValueError(f"`stages` must hold at least two stages. Received: {names}")
        if len(set(names)) != len(names) or "cascade" in names:
            raise ValueError(f"`stages` must have distinct names other than 'cascade'. Received: {names}")
        if self.stages[0].name != "retrieval" or self.stages[0].tower != "two_tower":
            raise ValueError(
                "The first stage must be named 'retrieval' and be a 'two_tower'. "
                f"Received: {self.stages[0].name!r}, {self.stages[0].tower!r}"
            )
        capacities = [stage.capacity for stage in self.stages]
        if sorted(capacities, reverse=True) != capacities:
            raise ValueError(f"Stage capacities must not grow along the funnel. Received: {capacities}")
        _check_positive(self, "item_embedding_dim", "epochs", "batch_size", "learning_rate", "weight_learning_rate")
        _check_kind(self, "learning_rate_decay", DecayKind)
        if not 0 <= self.history_dropout < 1:
            raise ValueError(f"`history_dropout` must be in [0, 1). Received: history_dropout={self.history_dropout}")
