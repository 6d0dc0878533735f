"""The typed configuration of the losses."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, get_args

from trainer.config.checks import check_kind, check_not_negative, check_positive
from trainer.config.operator_kind import OperatorKind

PermutationKind = Literal["neural_sort", "soft_sort"]
TiesKind = Literal["ignore", "by_position"]
LabelsKind = Literal["graded", "ground_truth"]
RankingKind = Literal[
    "pairwise_hinge_loss",
    "pairwise_logistic_loss",
    "pairwise_soft_zero_one_loss",
    "pairwise_mse_loss",
    "yeti_logistic_loss",
    "softmax_loss",
    "calibrated_softmax_loss",
    "unique_softmax_loss",
    "sigmoid_cross_entropy_loss",
    "mean_squared_loss",
    "list_mle_loss",
    "approx_ndcg_loss",
    "approx_mrr_loss",
    "gumbel_approx_ndcg_loss",
    "coupled_rankdistil_loss",
]


class _Method:
    """What a cascade needs to know of the loss that it trains on inside the logged lists."""

    kind: ClassVar[str]
    needs_list_capacities: ClassVar[bool] = False
    """Whether every stage must have a `list_capacity`."""
    judges_the_cascade: ClassVar[bool] = False
    """Whether it has a term of the cascade as a whole."""
    judges_stages: ClassVar[bool] = True
    """Whether it has a term of every stage."""

    @property
    def learns_stage_weights(self) -> bool:
        """Whether the weights of the stages' terms are learned."""
        return False

    @property
    def learns_end_to_end_weight(self) -> bool:
        """Whether the weight of the cascade's term is learned."""
        return False

    @property
    def is_off(self) -> bool:
        """Whether it has no term of any weight."""
        return False

    def term_names(self, stages: Sequence[str]) -> tuple[str, ...]:
        """Returns the names of its terms, for a cascade of stages with these names."""
        terms = [("end_to_end", self.learns_end_to_end_weight)] if self.judges_the_cascade else []
        terms += [(stage, self.learns_stage_weights) for stage in stages] if self.judges_stages else []
        return tuple(
            f"{term}_{what}"
            for term, is_learned in terms
            for what in (("loss", "loss_weight") if is_learned else ("loss",))
        )

    def check(self, num_stages: int) -> None:
        """Raises ValueError if it does not fit a cascade of so many stages."""


@dataclasses.dataclass(frozen=True)
class Lcron(_Method):
    """LCRON (arXiv 2503.09492).

    Args:
      operator: the differentiable top-k.
      temperature: of the operator, see `LossConfig.reference_list_size`; `None` stands for its `DEFAULT_TEMPERATURES`.
      use_list_capacities: whether the end-to-end term is trained at the stages' `list_capacity`; otherwise at the size
        of the list's ground truth, as the paper trains.
      end_to_end_weight: factor on the end-to-end term; `None` learns it by its uncertainty, 0 drops the term.
      single_weight: factor on each stage's own term; `None` learns one per stage, 0 drops the terms.
      negative_weight: factor on the negatives of each stage's own term.
      epsilon: added inside the logarithms, which bounds them; 0 computes them in log space, unbounded.
    """

    kind: ClassVar[str] = "lcron"
    judges_the_cascade: ClassVar[bool] = True

    operator: OperatorKind = "neural_sort"
    temperature: float | None = None
    use_list_capacities: bool = False
    end_to_end_weight: float | None = 1.0
    single_weight: float | None = None
    negative_weight: float = 1.0
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        check_kind(self, "operator", OperatorKind)
        if self.temperature is not None:
            check_positive(self, "temperature")
        check_not_negative(self, "end_to_end_weight", "single_weight", "negative_weight", "epsilon")
        if self.operator == "sparse_top_k" and self.epsilon == 0:
            raise ValueError(
                "`epsilon` must be positive with the operator 'sparse_top_k', whose survivals reach zero. "
                f"Received: epsilon={self.epsilon}"
            )

    @property
    def learns_stage_weights(self) -> bool:
        """Where no `single_weight` is given."""
        return self.single_weight is None

    @property
    def learns_end_to_end_weight(self) -> bool:
        """Where no `end_to_end_weight` is given."""
        return self.end_to_end_weight is None

    @property
    def is_off(self) -> bool:
        """Where both weights are 0."""
        return self.end_to_end_weight == self.single_weight == 0


@dataclasses.dataclass(frozen=True)
class Bce(_Method):
    """The binary cross-entropy of each stage on its own: stages that are trained apart."""

    kind: ClassVar[str] = "bce"


@dataclasses.dataclass(frozen=True)
class Icc(_Method):
    """ICC (Gallagher et al., WSDM 2019).

    Args:
      temperature: of the sigmoid at each stage's cut-off, in units of its scores.
      stage_weights: factor on the score that an item gets from the stage that it reaches, one per stage; empty stands
        for 1 everywhere.
      ties: whether pairs of equal labels are ignored, or pushed down the list as the paper's public code does.
    """

    kind: ClassVar[str] = "icc"
    needs_list_capacities: ClassVar[bool] = True
    judges_the_cascade: ClassVar[bool] = True
    judges_stages: ClassVar[bool] = False

    temperature: float = 0.1
    stage_weights: tuple[float, ...] = ()
    ties: TiesKind = "ignore"

    def __post_init__(self) -> None:
        check_positive(self, "temperature")
        check_kind(self, "ties", TiesKind)
        if not all(0 <= weight < math.inf for weight in self.stage_weights):
            raise ValueError(f"`stage_weights` must not be negative. Received: stage_weights={self.stage_weights}")

    def check(self, num_stages: int) -> None:
        """Raises ValueError if there are weights of another number of stages."""
        if len(self.stage_weights) not in (0, num_stages):
            raise ValueError(f"`stage_weights` must be one per stage. Received: stage_weights={self.stage_weights}")


@dataclasses.dataclass(frozen=True)
class RankFlow(_Method):
    """RankFlow (Qin et al., SIGIR 2022).

    Args:
      distillation_weight: factor on the squared distance of a stage's scores to those of the next one.
      pair_weight: factor on the order of what the next stage keeps and what it cuts.
    """

    kind: ClassVar[str] = "rank_flow"
    needs_list_capacities: ClassVar[bool] = True
    judges_the_cascade: ClassVar[bool] = True
    judges_stages: ClassVar[bool] = False

    distillation_weight: float = 1.0
    pair_weight: float = 1.0

    def __post_init__(self) -> None:
        check_not_negative(self, "distillation_weight", "pair_weight")


@dataclasses.dataclass(frozen=True)
class FsRankNet(_Method):
    """FS-RankNet (Zheng et al., WWW 2024): each stage orders what reached different stages."""

    kind: ClassVar[str] = "fs_ranknet"


@dataclasses.dataclass(frozen=True)
class FsLambdaLoss(_Method):
    """FS-LambdaLoss (Zheng et al., WWW 2024).

    Args:
      top_n: positions whose order counts; `None` means all.
      smoothing: share of the NDCG-2 weights, in `[0, 1]`; the rest is LambdaRank's.
      labels: what is ordered by: the graded labels, or whether an item is of the ground truth.
    """

    kind: ClassVar[str] = "fs_lambda_loss"

    top_n: int | None = 30
    smoothing: float = 0.8
    labels: LabelsKind = "graded"

    def __post_init__(self) -> None:
        check_kind(self, "labels", LabelsKind)
        if self.top_n is not None:
            check_positive(self, "top_n")
        if not 0 <= self.smoothing <= 1:
            raise ValueError(f"`smoothing` must be in [0, 1]. Received: smoothing={self.smoothing}")


@dataclasses.dataclass(frozen=True)
class Arf(_Method):
    """ARF (Wang et al., WWW 2024).

    Args:
      temperature: of NeuralSort, see `LossConfig.reference_list_size`.
      epsilon: added inside the logarithms, which bounds them; 0 computes them in log space, unbounded.
    """

    kind: ClassVar[str] = "arf"
    needs_list_capacities: ClassVar[bool] = True

    temperature: float = 200.0
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        check_positive(self, "temperature")
        check_not_negative(self, "epsilon")

    @property
    def learns_stage_weights(self) -> bool:
        """Always."""
        return True


@dataclasses.dataclass(frozen=True)
class ArfV2(Arf):
    """ARF-v2: ARF with a soft top-k, as LCRON (arXiv 2503.09492) compares it. Its settings are those of `Arf`."""

    kind: ClassVar[str] = "arf_v2"


@dataclasses.dataclass(frozen=True)
class Permutation(_Method):
    """The cross-entropy of the soft permutations alone, without LCRON.

    Args:
      operator: relaxes the sort.
      temperature: of the operator, see `LossConfig.reference_list_size`; `None` stands for its `DEFAULT_TEMPERATURES`.
      epsilon: added inside the logarithms, which bounds them; 0 computes them in log space, unbounded.
    """

    kind: ClassVar[str] = "permutation"

    operator: PermutationKind = "neural_sort"
    temperature: float | None = None
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        check_kind(self, "operator", PermutationKind)
        check_not_negative(self, "epsilon")
        if self.temperature is not None:
            check_positive(self, "temperature")


@dataclasses.dataclass(frozen=True)
class Ranking(_Method):
    """Losses of TensorFlow Ranking, each stage on its own.

    Args:
      keys: of `tfr.keras.losses`, one per stage or one for all.
    """

    kind: ClassVar[str] = "ranking"

    keys: tuple[str, ...] = ("approx_ndcg_loss",)

    def __post_init__(self) -> None:
        if not self.keys or not set(self.keys) <= set(get_args(RankingKind)):
            raise ValueError(
                f"`keys` must be at least one, each of {get_args(RankingKind)}. Received: keys={self.keys}"
            )

    def check(self, num_stages: int) -> None:
        """Raises ValueError if there are keys of another number of stages."""
        if len(self.keys) not in (1, num_stages):
            raise ValueError(f"`keys` must be one, or one per stage. Received: keys={self.keys}")


@dataclasses.dataclass(frozen=True)
class CatalogueLossConfig:
    """The sampled softmax that teaches every stage the whole catalogue, beside the loss of the logged lists.

    Args:
      weight: of each stage's term; 0 switches them off.
      num_sampled_negatives: catalogue items drawn per batch for the term of retrieval, shared by the batch; 0 leaves
        the ground truth of the other requests as the only negatives. `None` takes every item of the catalogue: exact,
        and quicker too where it holds no more than some ten thousand.
      in_batch_negatives: whether the ground truth of the batch is among the candidates of every request.
      num_retrieved_negatives: of all those, items drawn per request by its retrieval scores for the term of every later
        stage; 0 leaves later stages to the logged lists.
      popularity_share: share of `num_sampled_negatives` drawn by popularity, in `[0, 1)`; the rest is uniform.
      temperature: divides the scores.
      positive_weights: weight of a candidate with label 0, 1, 2, ... as a positive (larger labels take the last);
        empty stands for 1 on the ground truth and 0 on the rest. Popularity counts candidates of any weight.
      hidden_event_weight: weight, as positives of retrieval, of the events that `TrainerConfig.history_dropout` hides
        at the step, so that retrieval learns what goes together from both sides; only with the whole catalogue.
    """

    weight: float = 1.0
    num_sampled_negatives: int | None = 1024
    in_batch_negatives: bool = True
    num_retrieved_negatives: int = 20
    popularity_share: float = 0.5
    temperature: float = 1.0
    positive_weights: tuple[float, ...] = ()
    hidden_event_weight: float = 0.0

    def __post_init__(self) -> None:
        check_positive(self, "temperature")
        check_not_negative(self, "weight", "num_sampled_negatives", "num_retrieved_negatives", "hidden_event_weight")
        if self.hidden_event_weight > 0 and self.num_sampled_negatives is not None:
            raise ValueError(
                "`hidden_event_weight` must be 0 unless `num_sampled_negatives` is None, the whole catalogue. "
                f"Received: hidden_event_weight={self.hidden_event_weight}"
            )
        if self.num_sampled_negatives == 0 and (not self.in_batch_negatives or self.num_retrieved_negatives > 0):
            raise ValueError(
                "`num_sampled_negatives` must be positive unless `in_batch_negatives` is true and "
                f"`num_retrieved_negatives` is 0. Received: num_sampled_negatives={self.num_sampled_negatives}"
            )
        if not 0 <= self.popularity_share < 1:
            raise ValueError(
                f"`popularity_share` must be in [0, 1). Received: popularity_share={self.popularity_share}"
            )
        if min(self.positive_weights, default=0.0) < 0:
            raise ValueError(
                f"`positive_weights` must not be negative. Received: positive_weights={self.positive_weights}"
            )


Method = Lcron | Bce | Icc | RankFlow | FsRankNet | FsLambdaLoss | Arf | ArfV2 | Permutation | Ranking
"""The losses inside the logged lists; a new one is named here and in `trainer.losses.cascade_loss.LOSSES`."""

METHODS: Mapping[str, type[Method]] = {method.kind: method for method in get_args(Method)}
"""The losses inside the logged lists, by kind."""


@dataclasses.dataclass(frozen=True)
class LossConfig:
    """What a cascade is trained on: one method inside the logged lists, and the whole catalogue.

    Args:
      method: the loss inside the logged lists, with its settings.
      reference_list_size: list size at which the temperatures of NeuralSort are meant; they scale with the number of a
        list's items (the paper: 50 at 40 items). `None` takes them as they are. Those of the other operators do not
        depend on the size of a list.
      catalogue: the softmax over the catalogue.
    """

    method: Method = Lcron()
    reference_list_size: int | None = 40
    catalogue: CatalogueLossConfig = CatalogueLossConfig()

    def __post_init__(self) -> None:
        if self.reference_list_size is not None:
            check_positive(self, "reference_list_size")
        if not isinstance(self.method, _Method):
            raise ValueError(
                "`method` must be a loss with its settings, such as `Lcron()` or `Bce()`. "
                f"Received: method={self.method!r}"
            )
        if self.method.is_off and self.catalogue.weight == 0:
            raise ValueError("The weights of `method` or of `catalogue` must be positive. Received: 0 for all")
