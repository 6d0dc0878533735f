"""The loss of a cascade inside the logged lists, as the configuration names it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from trainer.config import losses
from trainer.config.json_text import from_plain, to_plain
from trainer.config.losses import LossConfig
from trainer.config.trainer import StageConfig
from trainer.global_batch import Batch
from trainer.losses.arf import cascade_arf
from trainer.losses.bce import cascade_bce
from trainer.losses.context import CascadeLossValue, LossContext
from trainer.losses.fs_lambda_loss import cascade_fs_lambda_loss
from trainer.losses.fs_ranknet import cascade_fs_ranknet
from trainer.losses.icc import cascade_icc
from trainer.losses.lcron import cascade_lcron
from trainer.losses.lists import count
from trainer.losses.permutation_loss import cascade_permutation
from trainer.losses.rank_flow import cascade_rank_flow
from trainer.losses.ranking_loss import cascade_ranking
from trainer.sorting.survival import Survival

LOSSES: Mapping[type, Callable[[Any, LossContext, list[tf.Tensor], Batch], CascadeLossValue]] = {
    losses.Lcron: cascade_lcron,
    losses.Bce: cascade_bce,
    losses.Icc: cascade_icc,
    losses.RankFlow: cascade_rank_flow,
    losses.FsRankNet: cascade_fs_ranknet,
    losses.FsLambdaLoss: cascade_fs_lambda_loss,
    losses.Arf: cascade_arf,
    losses.ArfV2: cascade_arf,
    losses.Permutation: cascade_permutation,
    losses.Ranking: cascade_ranking,
}
"""The adapter of each configuration: its settings, the context, the scores of each stage and the batch."""


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
      >>> from trainer.config.trainer import TrainerConfig
      >>> loss = CascadeLoss(LossConfig(losses.Bce()), TrainerConfig().stages)
      >>> batch = {"where": tf.constant([[True, True]]), "ground_truth": tf.constant([[True, False]])}
      >>> batch["candidate_stage"] = tf.constant([[3, 0]])
      >>> loss([tf.zeros([1, 2]), tf.zeros([1, 2])], batch).total
      1.3862944
    """

    def __init__(self, config: LossConfig, stages: Sequence[StageConfig], seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config
        self.stages = tuple(stages)
        self.seed = seed
        self.log_variances = self.end_to_end_log_variance = None
        if config.method.learns_stage_weights:
            self.log_variances = self.add_weight("log_variances", [len(self.stages)], initializer="zeros")
        if config.method.learns_end_to_end_weight:
            self.end_to_end_log_variance = self.add_weight("end_to_end_log_variance", [], initializer="zeros")

    def call(self, scores_by_stage: Sequence[tf.Tensor], batch: Batch, step: tf.Tensor | int = 0) -> CascadeLossValue:
        """Returns the loss of a batch.

        Args:
          scores_by_stage: `[batch_size, list_size]` scores of each stage, in funnel order.
          batch: `where` and `ground_truth` bool, `labels` float32 and `candidate_stage` int32, all
            `[batch_size, list_size]`.
          step: int scalar, number of the training step.
        """
        method = self.config.method
        return LOSSES[type(method)](method, self._context(step), list(scores_by_stage), batch)

    def list_survivals(self, scores_by_stage: Sequence[tf.Tensor], batch: Batch) -> list[Survival]:
        """Returns the survival of each candidate at each stage on the full list, to look at and not to train on.

        The operator is that of LCRON, with the default settings where another method is trained on. The size of its
        head is the stage's list capacity.

        Args:
          scores_by_stage: `[batch_size, list_size]` scores of each stage, in funnel order.
          batch: `where` and `ground_truth` bool, `[batch_size, list_size]`.
        """
        method, context = self.config.method, self._context(0)
        lcron = method if isinstance(method, losses.Lcron) else losses.Lcron()
        size = count(batch["ground_truth"] & batch["where"])
        temperature = context.temperature(lcron.operator, lcron.temperature, batch)
        return [
            context.operator(lcron.operator, batch)(
                scores, size if capacity is None else capacity, where=batch["where"], temperature=temperature
            )
            for scores, capacity in zip(scores_by_stage, context.list_capacities, strict=True)
        ]

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the terms that a call returns."""
        return self.config.method.term_names([stage.name for stage in self.stages])

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

    def _context(self, step: tf.Tensor | int) -> LossContext:
        return LossContext(
            self.stages,
            self.config.reference_list_size,
            self.seed,
            step,
            self.log_variances,
            self.end_to_end_log_variance,
        )
