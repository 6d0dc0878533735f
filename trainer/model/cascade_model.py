"""The whole cascade as one Keras model."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from trainer.config.trainer import PrecisionKind, StageConfig, TrainerConfig
from trainer.data.features import EncodedFeature, FeatureSpec
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import HISTORY_HIDDEN
from trainer.global_batch import Batch, draw_for_requests, mean_over_replicas
from trainer.losses.cascade_loss import CascadeLoss
from trainer.losses.catalogue_sampler import CatalogueSampler
from trainer.model.catalogue_loss import CatalogueLoss
from trainer.model.gradient_norms import GLOBAL, Gradient, gradient_norms, summed_rows
from trainer.model.optimizers import build_optimizer
from trainer.model.recall import Recall
from trainer.model.towers.dcn import Dcn
from trainer.model.towers.din import Din
from trainer.model.towers.dssm import Dssm
from trainer.model.towers.item_similarity import ItemSimilarity
from trainer.model.towers.mlp import Mlp
from trainer.model.towers.tower import Tower
from trainer.model.towers.two_tower import TwoTower

TOWERS: dict[str, type[Tower]] = {
    "two_tower": TwoTower,
    "dssm": Dssm,
    "item_similarity": ItemSimilarity,
    "din": Din,
    "mlp": Mlp,
    "dcn": Dcn,
}


class CascadeModel(tfrs.models.Model):
    """All stages of a cascade, trained together on one loss: LCRON (arXiv 2503.09492) unless the config names another.

    Every stage also learns the whole catalogue, by a softmax: retrieval over all items or over sampled ones and the
    other requests' ground truth, later stages over what retrieval would pick of those. Stages share no parameters. Call
    `compile()` before `fit`; it needs no arguments.

    Args:
      config: the training run.
      features: the features of the data set.
      request_features: encoded user and context features, keys of the batch.
      item_table: the encoded catalogue.
      item_log_frequency: `[num_items + 1]`, log-probability of each catalogue row among the ground truth of the
        training data (`-inf` where it never occurs). `None` if unknown: negatives are then drawn uniformly and the
        batch's ground truth is not used as negatives.
      precision: in which the towers compute, in training; the configuration's does not count.
    """

    def __init__(
        self,
        config: TrainerConfig,
        features: FeatureSpec,
        request_features: tuple[EncodedFeature, ...],
        item_table: ItemTable,
        item_log_frequency: np.ndarray | None = None,
        precision: PrecisionKind = "float32",
    ) -> None:
        super().__init__(name="cascade")
        self.precision = precision
        policy = tf.keras.mixed_precision.Policy("float32" if precision == "float32" else f"mixed_{precision}")
        self.config = config
        self.features = features
        self.item_table = item_table
        self.stages = [
            _build_tower(stage, config, features, request_features, item_table, policy) for stage in config.stages
        ]
        self.cascade_loss = CascadeLoss(config.loss, config.stages, config.seed)
        sampler = CatalogueSampler(item_table.num_items, item_log_frequency, config.loss.catalogue.popularity_share)
        self.catalogue_loss = CatalogueLoss(
            config.loss.catalogue,
            sampler,
            config.seed,
            draws_by_place=config.distribution != "none" or config.jit_compile,
            pads_negatives=config.jit_compile,
        )
        self.list_capacities = [stage.list_capacity for stage in config.stages]
        self.recalls = [Recall([stage.list_capacity], f"{stage.name}_recall") for stage in config.stages]
        self.end_to_end_recall = Recall(self.list_capacities, "end_to_end_recall")
        self.loss_means = {name: tf.keras.metrics.Mean(name) for name in self._loss_names()}

    def score(self, batch: Batch) -> tuple[tf.Tensor, ...]:
        """Returns the scores `[batch_size, list_size]` of the candidates by each stage, in funnel order."""
        states = [tower.encode_request(batch) for tower in self.stages]
        return tuple(self._score_lists(states, batch, None))

    def call(self, batch: Batch) -> tuple[tf.Tensor, ...]:
        """Returns `score(batch)`; one call builds every weight."""
        return self.score(batch)

    def compile(
        self,
        optimizer: tf.keras.optimizers.Optimizer | None = None,
        weight_optimizer: tf.keras.optimizers.Optimizer | None = None,
        num_steps: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets the optimisers of the network and of the loss weights; by default those that the config says.

        `num_steps` are the steps of the whole run, over which the learning rate comes down; `None` keeps it.

        `bad_step` is then the first step, from 0, whose loss or gradient was not finite; -1 before there is one.
        """
        optimizer = optimizer or build_optimizer(self.config, num_steps)
        if self.precision == "float16":
            optimizer = tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
        super().compile(optimizer=optimizer, **kwargs)
        self.weight_optimizer = weight_optimizer or tf.keras.optimizers.Adam(self.config.weight_learning_rate)
        self.bad_step = tf.Variable(
            -1,
            trainable=False,
            dtype=tf.int64,
            name="bad_step",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def compute_loss(self, inputs: Batch, training: bool = False) -> tf.Tensor:
        """Returns the scalar loss of a training batch, this replica's share of it, and updates the metrics."""
        ground_truth, where = inputs["ground_truth"], inputs["where"]
        if training and self.config.history_dropout > 0:
            inputs = self._drop_events(inputs)
        states = [tower.encode_request(inputs) for tower in self.stages]
        catalogue_scores = self._score_catalogue(states[0]) if self.catalogue_loss.is_over_all_items else None
        scores = self._score_lists(states, inputs, catalogue_scores)

        step = self.optimizer.iterations
        total, terms = self.cascade_loss(scores, inputs, step=step)
        if self.config.loss.catalogue.weight > 0:
            catalogue_losses = self.catalogue_loss(inputs, self.stages, states, scores, step, catalogue_scores)
            for index, catalogue_loss in enumerate(catalogue_losses):
                terms[f"{self.config.stages[index].name}_catalogue_loss"] = catalogue_loss
                total += self.config.loss.catalogue.weight * catalogue_loss
        terms["total_loss"] = total

        for name, value in terms.items():
            self.loss_means[name].update_state(value)
        for recall, stage_scores in zip(self.recalls, scores, strict=True):
            recall.update_state([stage_scores], ground_truth, where)
        self.end_to_end_recall.update_state(scores, ground_truth, where)
        return total

    def _score_catalogue(self, state: tf.Tensor) -> tf.Tensor:
        """Returns the retrieval scores `[batch_size, num_items + 1]` of all catalogue rows."""
        item_vectors = self.stages[0].item_vectors(tf.range(self.item_table.num_items + 1))
        return tf.matmul(state, item_vectors, transpose_b=True)

    def _score_lists(self, states: Sequence[Any], batch: Batch, catalogue_scores: tf.Tensor | None) -> list[tf.Tensor]:
        """Returns the scores of the candidates by each stage; those of retrieval are looked up where they are known."""
        item = batch["candidate_item"]
        scores: list[tf.Tensor] = []
        for tower, state in zip(self.stages, states, strict=True):
            if not scores and catalogue_scores is not None:
                scores.append(tf.gather(catalogue_scores, item, batch_dims=1))
            else:
                scores.append(tower.score_after(state, item, scores[-1] if scores else None))
        return scores

    def _drop_events(self, batch: Batch) -> Batch:
        """Hides a random share of the history's events, others at each step."""
        seed = tf.stack([tf.constant(self.config.seed + 1, tf.int64), self.optimizer.iterations])
        kept = draw_for_requests(batch, batch["history_where"].shape[1], seed) >= self.config.history_dropout
        where = batch["history_where"]
        return {**batch, "history_where": where & kept, HISTORY_HIDDEN: where & ~kept}

    def train_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Takes one step of both optimisers; returns the metrics so far and what `take_step` returns, by name."""
        norms = self.take_step(data)
        return self.results() | norms

    def results(self) -> dict[str, tf.Tensor]:
        """Returns the metrics so far, by name; over all replicas."""
        return {metric.name: metric.result() for metric in self.metrics}

    def take_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Takes one step of both optimisers, on the requests of this replica together with those of the others.

        Returns:
          The norms of this step's gradients by name: `global_gradient_norm`, `<stage>_gradient_norm`, and
          `loss_weights_gradient_norm` if the loss weights are trained.
        """
        with tf.GradientTape() as tape:
            loss = self.compute_loss(data, training=True)
            scaled_loss = self.optimizer.get_scaled_loss(loss) if self._scales_loss else loss
        network, weights = self._network_variables, self.cascade_loss.trainable_variables
        gradients = tape.gradient(scaled_loss, [*network, *weights])
        if self._scales_loss:
            gradients = self.optimizer.get_unscaled_gradients(gradients)
        if self.config.optimizer == "adam":
            # It passes over whole tables anyway, and Keras once more where a gradient is sparse.
            gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        # Over all replicas, so that norms and checks see what the optimisers apply.
        loss, *gradients = mean_over_replicas([loss, *gradients])
        gradients = [summed_rows(gradient) for gradient in gradients]
        pairs = list(zip(gradients, [*network, *weights], strict=True))
        norms = self._gradient_norms(gradients)
        is_bad = ~tf.math.is_finite(loss + norms[GLOBAL])
        if self._scales_loss:  # whose optimiser leaves the step out and halves the scale, down to one
            is_bad &= ~tf.math.is_finite(loss) | (self.optimizer.loss_scale <= 1)
        self.bad_step.assign(tf.where(is_bad & (self.bad_step < 0), self.optimizer.iterations, self.bad_step))
        self.optimizer.apply_gradients(pairs[: len(network)], skip_gradients_aggregation=True)
        if weights:
            self.weight_optimizer.apply_gradients(pairs[len(network) :], skip_gradients_aggregation=True)
        return {f"{group}_gradient_norm": norm for group, norm in norms.items()}

    def _gradient_norms(self, gradients: Sequence[Gradient]) -> dict[str, tf.Tensor]:
        """Norms by stage, of the `loss_weights` if they are trained, and `global`."""
        rest = list(gradients)
        groups = {}
        for config, tower in zip(self.config.stages, self.stages, strict=True):
            size = len(tower.trainable_variables)
            groups[config.name], rest = rest[:size], rest[size:]
        if rest:
            groups["loss_weights"] = rest
        return gradient_norms(groups)

    def prepare_training(self) -> None:
        """Makes the variables of the optimisers, which they otherwise make in their first step."""
        self.optimizer.build(self._network_variables)
        if self.cascade_loss.trainable_variables:
            self.weight_optimizer.build(self.cascade_loss.trainable_variables)

    @property
    def training_variables(self) -> list[tf.Variable]:
        """All that a training step changes, in an order that is always the same; after `prepare_training`."""
        variables = [*self.variables, *self.optimizer.variables, *self.weight_optimizer.variables]
        if self._scales_loss:
            scale = tf.train.TrackableView.children(self.optimizer)["loss_scale"]
            variables += [scale.current_loss_scale, scale.counter]
        variables += [variable for metric in self.metrics for variable in metric.variables]
        return list({variable.ref(): variable for variable in variables}.values())

    @property
    def _scales_loss(self) -> bool:
        return isinstance(self.optimizer, tf.keras.mixed_precision.LossScaleOptimizer)

    @property
    def _network_variables(self) -> list[tf.Variable]:
        return [variable for tower in self.stages for variable in tower.trainable_variables]

    def test_step(self, data: Batch) -> dict[str, tf.Tensor]:
        """Evaluates one batch; returns the metrics so far, by name."""
        self.compute_loss(data, training=False)
        return self.results()

    def _loss_names(self) -> list[str]:
        names = ["total_loss", *self.cascade_loss.term_names]
        config = self.config.loss.catalogue
        for index, stage in enumerate(self.config.stages):
            if config.weight > 0 and (index == 0 or config.num_retrieved_negatives > 0):
                names.append(f"{stage.name}_catalogue_loss")
        return names


def _build_tower(
    stage: StageConfig,
    config: TrainerConfig,
    features: FeatureSpec,
    request_features: tuple[EncodedFeature, ...],
    item_table: ItemTable,
    policy: tf.keras.mixed_precision.Policy,
) -> Tower:
    settings = {field.name: getattr(stage.tower, field.name) for field in dataclasses.fields(stage.tower)}
    return TOWERS[stage.tower.kind](
        num_items=item_table.num_items,
        request_features=request_features,
        item_features=item_table.features,
        history_features=features.history,
        history_size=features.history_size,
        item_embedding_dim=config.item_embedding_dim,
        **settings,
        adds_to_previous=stage.adds_to_previous,
        encoded=item_table.encoded,
        name=stage.name,
        dtype=policy,
    )
