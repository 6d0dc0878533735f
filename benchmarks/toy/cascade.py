"""The cascade of `benchmarks.toy`: its towers, their training and what is measured of them."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from benchmarks.toy.world import CANDIDATE_STAGE, GROUND_TRUTH_SIZE, LABELS, NUM_LOGGED_STAGES, Requests, World
from trainer.config.losses import LossConfig
from trainer.config.towers import Mlp, TwoTower
from trainer.config.trainer import StageConfig
from trainer.losses.cascade_loss import CascadeLoss
from trainer.model.recall import Recall, survivors

_HIDDEN_UNITS = 16
_WEIGHT_LEARNING_RATE = 0.01


@dataclasses.dataclass(frozen=True)
class Measures:
    """What a trained cascade does on held-out requests.

    Args:
      recall: end-to-end recall of the hard cascade.
      retrieval_recall: recall of retrieval alone at its capacity, on the full list.
      ranking_recall: recall of ranking alone at its capacity, on the full list.
      bound: share of the ground truth that every stage would keep on the full list: the hard product of survivals,
        which the recall is never below.
      blind_share: share of what retrieval's dot product knows (squared weights of the tastes) that is about tastes
        which ranking does not see.
    """

    recall: float
    retrieval_recall: float
    ranking_recall: float
    bound: float
    blind_share: float


class Cascade(tf.Module):
    """A linear two-tower retrieval and a small MLP ranking, which share nothing.

    Args:
      world: the world that they score.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        shapes = {
            "user_tower": [world.num_tastes, world.retrieval_dim],
            "item_tower": [world.num_tastes, world.retrieval_dim],
            "hidden": [world.seen_tastes, _HIDDEN_UNITS],
            "hidden_bias": [_HIDDEN_UNITS],
            "output": [_HIDDEN_UNITS, 1],
        }
        self.weights = {name: tf.Variable(tf.zeros(shape), name=name) for name, shape in shapes.items()}

    def reset(self, rng: np.random.Generator) -> None:
        """Draws all weights anew, normal with variance `1 / fan_in`; biases are zero."""
        for name, weight in self.weights.items():
            scale = 0.0 if name == "hidden_bias" else weight.shape[0] ** -0.5
            weight.assign(scale * rng.standard_normal(weight.shape, np.float32))

    def score(self, users: tf.Tensor, items: tf.Tensor) -> list[tf.Tensor]:
        """Returns the scores `[num_requests, list_size]` of both stages."""
        weights = self.weights
        retrieval = tf.einsum(
            "br,bnd,dr->bn", users @ weights["user_tower"], items, weights["item_tower"], optimize="optimal"
        )
        crosses = (users[:, tf.newaxis] * items)[..., : self.world.seen_tastes]
        hidden = tf.nn.relu(crosses @ weights["hidden"] + weights["hidden_bias"])
        return [retrieval, tf.squeeze(hidden @ weights["output"], -1)]

    def blind_share(self) -> float:
        """Returns what `Measures.blind_share` says."""
        known = np.square(np.sum(self.weights["user_tower"].numpy() * self.weights["item_tower"].numpy(), axis=1))
        return float(known[self.world.seen_tastes :].sum() / known.sum())


class ToyTrainer:
    """Trains the cascade of a world on one loss; every run starts afresh, so one compilation serves all.

    Args:
      world: the world.
      capacities: items that retrieval and ranking pass on.
      loss: what to train on; its catalogue term is not used.
      batch_size: requests per step.
    """

    def __init__(self, world: World, capacities: Sequence[int], loss: LossConfig, batch_size: int) -> None:
        self.cascade = Cascade(world)
        self.capacities = tuple(capacities)
        self._loss = CascadeLoss(loss, _stages(capacities))
        self._batch = _tile_lists(batch_size)
        self._variables = list(self.cascade.weights.values())
        self._optimizer = tf.keras.optimizers.Adam()
        self._weight_optimizer = tf.keras.optimizers.Adam(_WEIGHT_LEARNING_RATE)
        self._optimizer.build(self._variables)
        self._weight_optimizer.build(self._loss.trainable_variables)
        self._batch_size = batch_size

    def train(self, requests: Requests, *, seed: int, num_steps: int, learning_rate: float) -> None:
        """Trains from a fresh start; the learning rate of the towers falls to zero.

        Args:
          requests: what to train on.
          seed: of the first weights and of the order of the requests.
          num_steps: of the optimiser.
          learning_rate: of Adam at the start.
        """
        rng = np.random.default_rng([seed, 3])
        self.cascade.reset(rng)
        for variable in self._loss.trainable_variables:
            variable.assign(tf.zeros_like(variable))
        for optimizer in (self._optimizer, self._weight_optimizer):
            for variable in optimizer.variables:
                if variable is not optimizer.learning_rate:
                    variable.assign(tf.zeros_like(variable))
        order = rng.integers(len(requests.users), size=(num_steps, self._batch_size), dtype=np.int32)
        rates = learning_rate * (1 - np.arange(num_steps, dtype=np.float32) / num_steps)
        self._run(tf.constant(requests.users), tf.constant(requests.items), tf.constant(order), tf.constant(rates))

    @tf.function(jit_compile=True)
    def _run(self, users: tf.Tensor, items: tf.Tensor, order: tf.Tensor, learning_rates: tf.Tensor) -> None:
        for step in tf.range(tf.shape(order)[0]):
            with tf.GradientTape() as tape:
                scores = self.cascade.score(tf.gather(users, order[step]), tf.gather(items, order[step]))
                loss = self._loss(scores, self._batch).total
            weights = self._loss.trainable_variables
            gradients = tape.gradient(loss, [*self._variables, *weights])
            self._optimizer.learning_rate.assign(learning_rates[step])
            self._optimizer.apply_gradients(zip(gradients, self._variables, strict=False))
            if weights:
                self._weight_optimizer.apply_gradients(zip(gradients[len(self._variables) :], weights, strict=True))

    def measure(self, requests: Requests) -> Measures:
        """Runs the hard cascade on requests."""
        return measure(self.cascade.score(*requests), self.capacities, self.cascade.blind_share())


def measure(scores: Sequence[tf.Tensor], capacities: Sequence[int], blind_share: float) -> Measures:
    """Returns what a cascade with these `[num_requests, LIST_SIZE]` scores does."""
    batch = _tile_lists(len(scores[0]))
    where, ground_truth = batch["where"], batch["ground_truth"]

    def recall(stages: slice) -> float:
        metric = Recall(capacities[stages])
        metric.update_state(scores[stages], ground_truth, where)
        return float(metric.result())

    kept = [survivors([stage], where, [capacity]) for stage, capacity in zip(scores, capacities, strict=True)]
    bound = tf.reduce_all(tf.stack([*kept, ground_truth]), axis=0)
    return Measures(
        recall=recall(slice(None)),
        retrieval_recall=recall(slice(1)),
        ranking_recall=recall(slice(1, None)),
        bound=float(tf.reduce_mean(tf.cast(bound, tf.float32))) * len(LABELS) / GROUND_TRUTH_SIZE,
        blind_share=blind_share,
    )


def _stages(capacities: Sequence[int]) -> list[StageConfig]:
    """Trained apart, ranking sees the two deepest logged stages (as BCE of the paper's public code has it)."""
    retrieval, ranking = capacities
    return [
        StageConfig("retrieval", TwoTower(), retrieval, list_capacity=retrieval),
        StageConfig("ranking", Mlp(), ranking, list_capacity=ranking, min_candidate_stage=NUM_LOGGED_STAGES - 2),
    ]


def _tile_lists(num_requests: int) -> dict[str, tf.Tensor]:
    labels, stage = np.tile(LABELS, (num_requests, 1)), np.tile(CANDIDATE_STAGE, (num_requests, 1))
    return {
        "where": tf.ones(labels.shape, tf.bool),
        "ground_truth": tf.constant(stage == NUM_LOGGED_STAGES - 1),
        "labels": tf.constant(labels),
        "candidate_stage": tf.constant(stage),
    }
