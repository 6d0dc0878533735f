"""The functions that `benchmarks.losses` measures: the loss of a synthetic batch and its gradient."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from benchmarks.losses.cases import DENSE, SEED, STREAMED, Case, Mode
from benchmarks.shared.measure import Step
from pipeline.configs import demo
from trainer.config import losses
from trainer.data.features import EncodedFeature, Feature
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.losses.cascade_loss import CascadeLoss
from trainer.losses.lcron import single_loss
from trainer.model.cascade_model import CascadeModel
from trainer.sorting.neural_sort import neural_sort
from trainer.sorting.operators import OPERATORS
from trainer.sorting.soft_sort import soft_sort
from trainer.sorting.survival import SortingOperator

NUM_LEVELS = 4  # of relevance, a quarter of the list each, as the lists of LCRON's experiments
NUM_ITEMS, CARDINALITY = 4_000, 1_000  # of the catalogue, and of every feature
FORMS: dict[str, SortingOperator] = {
    **{name: operator for name, operator in OPERATORS.items()},
    "neural_sort" + DENSE: functools.partial(neural_sort, streamed=False),
    "neural_sort" + STREAMED: functools.partial(neural_sort, streamed=True),
    "soft_sort" + DENSE: functools.partial(soft_sort, streamed=False),
    "soft_sort" + STREAMED: functools.partial(soft_sort, streamed=True),
}


def build(case: Case, small: bool) -> Step:
    """Returns a function without arguments that computes the loss of a case and its gradient.

    Args:
      case: what is measured.
      small: whether to take a batch of one short list, which runs the same code.
    """
    if small:
        case = dataclasses.replace(case, batch_size=1, list_size=min(case.list_size, 8))
    tf.random.set_seed(SEED)
    step, arguments = {"operator": _operator, "loss": _loss, "training_step": _training_step}[case.part](case)
    step = _in_mode(step, case.mode)
    return lambda: tf.nest.map_structure(lambda tensor: tensor.numpy(), step(*arguments))


def lists(batch_size: int, list_size: int) -> dict[str, tf.Tensor]:
    """Returns what the losses need to know about the candidates of a batch: full lists with `NUM_LEVELS` groups."""
    shape = [batch_size, list_size]
    place = tf.range(list_size)
    stage = NUM_LEVELS - 1 - NUM_LEVELS * place // list_size
    is_best = stage == NUM_LEVELS - 1
    labels = tf.cast(stage, tf.float32) + tf.where(is_best, 1 - tf.cast(place / list_size, tf.float32), 0.0)
    return {
        "candidate_stage": tf.broadcast_to(stage, shape),
        "ground_truth": tf.broadcast_to(is_best, shape),
        "labels": tf.broadcast_to(labels, shape),
        "where": tf.ones(shape, tf.bool),
    }


def _operator(case: Case) -> tuple[Callable, tuple]:
    operator = FORMS[case.name]
    # NeuralSort's temperature grows with the list, as in training; a width of one serves scores of that spread.
    temperature = 50.0 * case.list_size / 40 if case.name.startswith("neural_sort") else 1.0

    def step(scores: tf.Tensor, ground_truth: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = single_loss(scores, ground_truth, temperature=temperature, operator=operator)
        return tape.gradient(loss, scores)

    return step, (_scores(case, 0), lists(case.batch_size, case.list_size)["ground_truth"])


def _loss(case: Case) -> tuple[Callable, tuple]:
    stages = demo.config().trainer.stages
    loss_layer = CascadeLoss(losses.LossConfig(losses.METHODS[case.name]()), stages, SEED)

    def step(scores: list[tf.Tensor], batch: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = loss_layer(scores, batch).total
        return tape.gradient(loss, [*scores, *loss_layer.trainable_variables])

    scores = [_scores(case, index) for index in range(len(stages))]
    return step, (scores, lists(case.batch_size, case.list_size))


def _training_step(case: Case) -> tuple[Callable, tuple]:
    experiment = demo.config()
    rng = np.random.default_rng(SEED)
    features = dataclasses.replace(experiment.features, list_size=case.list_size)
    request_features, item_features = _encoded(features.request), _encoded(features.item)
    table = ItemTable(
        tuple(b"%d" % item for item in range(NUM_ITEMS)),
        rng.integers(0, CARDINALITY, [NUM_ITEMS + 1, len(item_features)]),
        item_features,
    )
    log_frequency = np.full(NUM_ITEMS + 1, -np.log(NUM_ITEMS))
    log_frequency[0] = -np.inf
    model = CascadeModel(experiment.trainer, features, request_features, table, log_frequency)
    model(empty_batch(features, request_features))
    model.compile()

    def integers(high: int, *shape: int) -> tf.Tensor:
        return tf.constant(rng.integers(0, high, [case.batch_size, *shape]), tf.int32)

    batch = {
        **lists(case.batch_size, case.list_size),
        **{feature.name: integers(CARDINALITY) for feature in request_features},
        **{feature.example_name: integers(feature.cardinality, features.history_size) for feature in features.history},
        "history_item": 1 + integers(NUM_ITEMS, features.history_size),
        "history_where": tf.ones([case.batch_size, features.history_size], tf.bool),
        "candidate_item": 1 + integers(NUM_ITEMS, case.list_size),
    }
    return model.train_step, (batch,)


def _encoded(features: tuple[Feature, ...]) -> tuple[EncodedFeature, ...]:
    return tuple(
        EncodedFeature(name, CARDINALITY, feature.embedding_dim)
        for feature in features
        for name in feature.encoded_names
    )


def _scores(case: Case, index: int) -> tf.Tensor:
    return tf.random.stateless_normal([case.batch_size, case.list_size], seed=(SEED, index))


def _in_mode(step: Callable, mode: Mode) -> Callable:
    return step if mode == "eager" else tf.function(step, jit_compile=mode == "xla", autograph=False)
