"""What the adapter of a loss knows of the cascade, and what it returns."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from trainer.config.operator_kind import DEFAULT_TEMPERATURES, GROWS_WITH_LIST, OperatorKind
from trainer.config.trainer import StageConfig
from trainer.global_batch import Batch, places
from trainer.losses.lists import count
from trainer.sorting.operators import OPERATORS
from trainer.sorting.perturbed_top_k import perturbed_top_k
from trainer.sorting.survival import SortingOperator


class CascadeLossValue(NamedTuple):
    """The loss of a cascade and what it is made of.

    Args:
      total: scalar, what is minimised.
      terms: scalar of each term by name: `end_to_end_loss` (of the cascade as a whole), `<stage>_loss` (of one stage)
        and the learned weights `<term>_weight`. A method has some of them.
    """

    total: tf.Tensor
    terms: dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class LossContext:
    """The cascade and the step of a loss.

    Args:
      stages: the cascade in funnel order.
      reference_list_size: see `LossConfig`.
      seed: of the draws of `perturbed_top_k`, which differ at every step.
      step: int scalar, number of the training step.
      log_variances: `[num_stages]`, where the method learns the weights of the stages' terms.
      end_to_end_log_variance: scalar, where it learns the weight of the cascade's term.
    """

    stages: Sequence[StageConfig]
    reference_list_size: int | None
    seed: int = 0
    step: tf.Tensor | int = 0
    log_variances: tf.Tensor | None = None
    end_to_end_log_variance: tf.Tensor | None = None

    @property
    def list_capacities(self) -> list[int | None]:
        """Of each stage."""
        return [stage.list_capacity for stage in self.stages]

    def operator(self, kind: OperatorKind, batch: Batch) -> SortingOperator:
        """Returns the operator of a kind; one that draws does so by the seed, the step and the request's place."""
        if kind == "perturbed_top_k":
            seed = tf.stack([tf.cast(self.seed, tf.int64), tf.cast(self.step, tf.int64)])
            return functools.partial(perturbed_top_k, seed=seed, places=places(batch))
        return OPERATORS[kind]

    def temperature(self, operator: OperatorKind, temperature: float | None, batch: Batch) -> float | tf.Tensor:
        """Returns the temperature of an operator, `[batch_size]` where it grows with the list."""
        temperature = DEFAULT_TEMPERATURES[operator] if temperature is None else temperature
        if self.reference_list_size is None or operator not in GROWS_WITH_LIST:
            return temperature
        size = tf.cast(tf.maximum(count(batch["where"]), 1), tf.float32)
        return temperature * size / self.reference_list_size

    def sum_of_stages(self, losses: Sequence[tf.Tensor]) -> CascadeLossValue:
        """Returns the sum of one scalar loss per stage."""
        stacked = tf.stack(losses)
        return CascadeLossValue(tf.reduce_sum(stacked), self.stage_terms(stacked))

    def stage_terms(self, losses: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the terms of losses `[num_stages]` and of their weights, where these are learned."""
        terms = {}
        for index, stage in enumerate(self.stages):
            terms[f"{stage.name}_loss"] = losses[index]
            if self.log_variances is not None:
                terms[f"{stage.name}_loss_weight"] = learned_weight(self.log_variances[index])
        return terms


def learned_weight(log_variance: tf.Tensor) -> tf.Tensor:
    """Returns the weight that `uncertainty_weighted` gives a loss."""
    return 0.5 * tf.exp(-log_variance)
