"""The loss of a cascade inside the logged lists, as the configuration names it."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from trainer.config import StageConfig
from trainer.config_json import from_plain, to_plain
from trainer.distribution.global_batch import Batch, places
from trainer.losses.arf import arf_loss
from trainer.losses.bce import bce_loss
from trainer.losses.config import LossConfig, MethodKind
from trainer.losses.fs_lambda_loss import fs_lambda_loss
from trainer.losses.fs_ranknet import fs_ranknet_loss
from trainer.losses.icc import icc_loss
from trainer.losses.lcron import lcron_loss
from trainer.losses.lists import count
from trainer.losses.permutation_loss import permutation_loss
from trainer.losses.rank_flow import rank_flow_loss
from trainer.losses.ranking_loss import ranking_loss
from trainer.sorting.neural_sort import neural_sort_permutation
from trainer.sorting.operator_kind import DEFAULT_TEMPERATURES, GROWS_WITH_LIST, OperatorKind
from trainer.sorting.operators import OPERATORS
from trainer.sorting.perturbed_top_k import perturbed_top_k
from trainer.sorting.soft_sort import soft_sort_permutation
from trainer.sorting.survival import SortingOperator, Survival

PERMUTATIONS = {"neural_sort": neural_sort_permutation, "soft_sort": soft_sort_permutation}


class CascadeLossValue(NamedTuple):
    """The loss of a cascade and what it is made of.

    Args:
      total: scalar, what is minimised.
      terms: scalar of each term by name: `end_to_end_loss` (of the cascade as a whole), `<stage>_loss` (of one stage)
        and the learned weights `<term>_weight`. A method has some of them.
    """

    total: tf.Tensor
    terms: dict[str, tf.Tensor]


@tf.keras.utils.register_keras_serializable("lcron")
class CascadeLoss(tf.keras.layers.Layer):
    """Any of the methods of `LossConfig`, for any number of stages.

    The layer's trainable weights are the uncertainty weights of the method, if it has any, as log-variances. The
    temperature of NeuralSort scales with a list's items, as `LossConfig.reference_list_size` says.

    Args:
      config: the losses.
      stages: the cascade in funnel order.
      seed: of the draws of `perturbed_top_k`, which differ at every step.

    Example:
      >>> loss = CascadeLoss(LossConfig(method="bce"), TrainerConfig().stages)
      >>> loss([retrieval_scores, ranking_scores], batch).total
    """

    def __init__(self, config: LossConfig, stages: Sequence[StageConfig], seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.stages = tuple(stages)
        self.seed = seed
        self.list_capacities = [stage.list_capacity for stage in self.stages]
        self.log_variances = self.end_to_end_log_variance = None
        learns_stages = config.method == "lcron" and config.lcron.single_weight is None
        if learns_stages or config.method in ("arf", "arf_v2"):
            self.log_variances = self.add_weight("log_variances", [len(self.stages)], initializer="zeros")
        if config.method == "lcron" and config.lcron.end_to_end_weight is None:
            self.end_to_end_log_variance = self.add_weight("end_to_end_log_variance", [], initializer="zeros")

    def call(self, scores_by_stage: Sequence[tf.Tensor], batch: Batch, step: tf.Tensor | int = 0) -> CascadeLossValue:
        """Returns the loss of a batch.

        Args:
          scores_by_stage: `[batch_size, list_size]` scores of each stage, in funnel order.
          batch: `where` and `ground_truth` bool, `labels` float32 and `candidate_stage` int32, all
            `[batch_size, list_size]`.
          step: int scalar, number of the training step.
        """
        methods: dict[MethodKind, Callable[..., CascadeLossValue]] = {
            "lcron": functools.partial(self._lcron, step=step),
            "bce": self._bce,
            "icc": self._icc,
            "rank_flow": self._rank_flow,
            "fs_ranknet": self._fs_ranknet,
            "fs_lambda_loss": self._fs_lambda_loss,
            "arf": functools.partial(self._arf, version=1),
            "arf_v2": functools.partial(self._arf, version=2),
            "permutation": self._permutation,
            "ranking": self._ranking,
        }
        return methods[self.config.method](list(scores_by_stage), batch)

    def list_survivals(self, scores_by_stage: Sequence[tf.Tensor], batch: Batch) -> list[Survival]:
        """Returns the survival of each candidate at each stage on the full list, to look at and not to train on.

        The operator is that of `LossConfig.lcron` whatever the method, the size of its head the stage's list capacity.

        Args:
          scores_by_stage: `[batch_size, list_size]` scores of each stage, in funnel order.
          batch: `where` and `ground_truth` bool, `[batch_size, list_size]`.
        """
        config = self.config.lcron
        size = count(batch["ground_truth"] & batch["where"])
        temperature = self._temperature(config.operator, config.temperature, batch)
        return [
            self._operator(0, batch)(
                scores, size if capacity is None else capacity, where=batch["where"], temperature=temperature
            )
            for scores, capacity in zip(scores_by_stage, self.list_capacities, strict=True)
        ]

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the terms that a call returns."""
        names = []
        if self.config.method in ("lcron", "icc", "rank_flow"):
            names.append("end_to_end_loss")
        if self.end_to_end_log_variance is not None:
            names.append("end_to_end_loss_weight")
        if self.config.method not in ("icc", "rank_flow"):
            for stage in self.stages:
                names.append(f"{stage.name}_loss")
                if self.log_variances is not None:
                    names.append(f"{stage.name}_loss_weight")
        return tuple(names)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, as plain values."""
        return {
            **super().get_config(),
            "config": to_plain(self.config),
            "stages": [to_plain(stage) for stage in self.stages],
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CascadeLoss":
        """Builds the layer that `get_config` describes."""
        stages = [from_plain(StageConfig, stage) for stage in config["stages"]]
        return cls(**{**config, "config": from_plain(LossConfig, config["config"]), "stages": stages})

    def _lcron(self, scores: list[tf.Tensor], batch: Batch, step: tf.Tensor | int) -> CascadeLossValue:
        config = self.config.lcron
        value = lcron_loss(
            scores,
            batch["ground_truth"],
            where=batch["where"],
            capacities=self.list_capacities if config.use_list_capacities else None,
            end_to_end_weight=1.0 if config.end_to_end_weight is None else config.end_to_end_weight,
            end_to_end_log_variance=self.end_to_end_log_variance,
            single_weight=config.single_weight,
            log_variances=self.log_variances,
            temperature=self._temperature(config.operator, config.temperature, batch),
            operator=self._operator(step, batch),
            negative_weight=config.negative_weight,
            epsilon=config.epsilon,
        )
        terms = {"end_to_end_loss": value.end_to_end}
        if self.end_to_end_log_variance is not None:
            terms["end_to_end_loss_weight"] = _weight(self.end_to_end_log_variance)
        return CascadeLossValue(value.total, terms | self._stage_terms(value.single))

    def _operator(self, step: tf.Tensor | int, batch: Batch) -> SortingOperator:
        kind = self.config.lcron.operator
        if kind == "perturbed_top_k":
            seed = tf.stack([tf.cast(self.seed, tf.int64), tf.cast(step, tf.int64)])
            return functools.partial(perturbed_top_k, seed=seed, places=places(batch))
        return OPERATORS[kind]

    def _arf(self, scores: list[tf.Tensor], batch: Batch, version: int) -> CascadeLossValue:
        values = [
            arf_loss(
                stage_scores,
                batch["labels"],
                batch["ground_truth"],
                where=batch["where"],
                capacity=capacity,
                log_variance=log_variance,
                temperature=self._temperature("neural_sort", self.config.arf.temperature, batch),
                epsilon=self.config.arf.epsilon,
                version=version,
            )
            for stage_scores, capacity, log_variance in zip(
                scores, self.list_capacities, tf.unstack(self.log_variances, len(scores)), strict=True
            )
        ]
        return self._sum_of_stages([value.total for value in values])

    def _bce(self, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
        reached = [batch["where"] & (batch["candidate_stage"] >= stage.min_candidate_stage) for stage in self.stages]
        losses = [bce_loss(s, batch["ground_truth"], where=where) for s, where in zip(scores, reached, strict=True)]
        return self._sum_of_stages(losses)

    def _fs_ranknet(self, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
        return self._sum_of_stages([fs_ranknet_loss(s, batch["candidate_stage"], where=batch["where"]) for s in scores])

    def _fs_lambda_loss(self, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
        config = self.config.fs_lambda_loss
        loss = functools.partial(fs_lambda_loss, where=batch["where"], top_n=config.top_n, smoothing=config.smoothing)
        is_graded = config.labels == "graded"
        labels = batch["labels"] if is_graded else tf.cast(batch["ground_truth"], tf.float32)
        return self._sum_of_stages([loss(s, labels) for s in scores])

    def _permutation(self, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
        config = self.config.permutation
        loss = functools.partial(
            permutation_loss,
            where=batch["where"],
            temperature=self._temperature(config.operator, config.temperature, batch),
            permutation=PERMUTATIONS[config.operator],
            epsilon=config.epsilon,
        )
        return self._sum_of_stages([loss(s, batch["labels"]) for s in scores])

    def _ranking(self, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
        keys = self.config.ranking.keys
        keys = keys * len(scores) if len(keys) == 1 else keys
        losses = [
            ranking_loss(s, batch["labels"], where=batch["where"], key=key) for s, key in zip(scores, keys, strict=True)
        ]
        return self._sum_of_stages(losses)

    def _icc(self, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
        config = self.config.icc
        value = icc_loss(
            scores,
            batch["labels"],
            where=batch["where"],
            capacities=self.list_capacities,
            temperature=config.temperature,
            stage_weights=config.stage_weights or None,
            ties=config.ties,
        )
        return CascadeLossValue(value, {"end_to_end_loss": value})

    def _rank_flow(self, scores: list[tf.Tensor], batch: Batch) -> CascadeLossValue:
        config = self.config.rank_flow
        value = rank_flow_loss(
            scores,
            batch["ground_truth"],
            where=batch["where"],
            capacities=self.list_capacities,
            distillation_weight=config.distillation_weight,
            pair_weight=config.pair_weight,
        )
        return CascadeLossValue(value, {"end_to_end_loss": value})

    def _sum_of_stages(self, losses: Sequence[tf.Tensor]) -> CascadeLossValue:
        stacked = tf.stack(losses)
        return CascadeLossValue(tf.reduce_sum(stacked), self._stage_terms(stacked))

    def _stage_terms(self, losses: tf.Tensor) -> dict[str, tf.Tensor]:
        terms = {}
        for index, stage in enumerate(self.stages):
            terms[f"{stage.name}_loss"] = losses[index]
            if self.log_variances is not None:
                terms[f"{stage.name}_loss_weight"] = _weight(self.log_variances[index])
        return terms

    def _temperature(self, operator: OperatorKind, temperature: float | None, batch: Batch) -> float | tf.Tensor:
        """Returns the temperature of an operator, `[batch_size]` where it grows with the list."""
        temperature = DEFAULT_TEMPERATURES[operator] if temperature is None else temperature
        reference = self.config.reference_list_size
        if reference is None or operator not in GROWS_WITH_LIST:
            return temperature
        size = tf.cast(tf.maximum(count(batch["where"]), 1), tf.float32)
        return temperature * size / reference


def _weight(log_variance: tf.Tensor) -> tf.Tensor:
    return 0.5 * tf.exp(-log_variance)
