"""Where the time of a training step goes: each part on its own, forward and backward."""

import functools
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

from trainer.model.cascade_model import CascadeModel
from trainer.model.towers.additive_logits import additive_logits
from trainer.model.towers.din import Din
from trainer.model.towers.tower import Tower
from trainer.training.replicas.steps import Steps

Batch = dict[str, tf.Tensor]

STEP = "whole step"
_NUM_ROUNDS = 7


def seconds_by_part(model: CascadeModel, steps: Steps, batch: Batch, report: Callable[[str], None]) -> dict[str, float]:
    """Times the step and its parts, each compiled to a graph of its own.

    The parts overlap where one is named as a part of another, and what is not in any of them is missing, so they are
    for comparison and do not add up to the step.

    Args:
      model: a compiled cascade; its weights change.
      steps: of the model.
      batch: a training batch.
      report: gets a line for each part that is compiled.

    Returns:
      Fewest seconds by part.
    """
    scores = [tf.Variable(value) for value in model.score(batch)]
    parts: dict[str, Callable[[], object]] = {STEP: lambda: steps.train(batch)}
    for stage, tower in zip(model.config.stages, model.stages, strict=True):
        parts[f"{stage.name} tower ({stage.tower.kind})"] = _gradient(
            functools.partial(_scores, tower, batch), tower.trainable_variables
        )
        encoders: list[tf.keras.layers.Layer] = [tower.item_encoder, tower.history_encoder, tower.request_encoder]
        parts[f"{stage.name} tower: embeddings"] = _gradient(
            functools.partial(_embeddings, tower, batch),
            [variable for encoder in encoders for variable in encoder.trainable_variables],
        )
        if isinstance(tower, Din):
            items = tower.item_attention(tower.item_encoder(batch["candidate_item"]))
            pairs = [tf.Variable(tower.encode_request(batch).attention), tf.Variable(items), tower.attention_kernel]
            parts[f"{stage.name} tower: attention logits"] = _gradient(
                functools.partial(additive_logits, *pairs), pairs
            )
    parts["loss of the lists"] = _gradient(lambda: model.cascade_loss(scores, batch, step=0).total, scores)
    parts["optimiser"] = _optimizer(model, batch)
    parts["metrics"] = lambda: _metrics(model, scores, batch)
    functions = {name: tf.function(function, autograph=False) for name, function in parts.items()}
    for name, function in functions.items():
        _wait(function())
        report(f"compiled: {name}")
    # In turns, since other processes slow down some moments, and the fastest of them.
    rounds = [{name: _seconds(function) for name, function in functions.items()} for _ in range(_NUM_ROUNDS)]
    return {name: min(each[name] for each in rounds) for name in functions}


def _gradient(function: Callable[[], object], variables: Sequence[tf.Variable]) -> Callable[[], object]:
    def run() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_sum(tf.square(value)) for value in tf.nest.flatten(function())])
        gradients = tape.gradient(loss, variables)
        return [tf.convert_to_tensor(gradient) for gradient in gradients if gradient is not None]

    return run


def _scores(tower: Tower, batch: Batch) -> tf.Tensor:
    return tower.score(tower.encode_request(batch), batch["candidate_item"])


def _embeddings(tower: Tower, batch: Batch) -> list[tf.Tensor]:
    items = tower.item_encoder(batch["candidate_item"])
    return [items, tower.history_encoder(batch), tower.request_encoder(batch)]


def _optimizer(model: CascadeModel, batch: Batch) -> Callable[[], object]:
    variables = [variable for stage in model.stages for variable in stage.trainable_variables]
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    gradients = tape.gradient(loss, variables)
    if model.config.optimizer == "adam":
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    return lambda: model.optimizer.apply_gradients(zip(gradients, variables, strict=True))


def _metrics(model: CascadeModel, scores: Sequence[tf.Tensor], batch: Batch) -> list[tf.Tensor]:
    for recall, stage_scores in zip(model.recalls, scores, strict=True):
        recall.update_state([stage_scores], batch["ground_truth"], batch["where"])
    model.end_to_end_recall.update_state(scores, batch["ground_truth"], batch["where"])
    return [metric.result() for metric in model.metrics]


def _seconds(function: Callable[[], object]) -> float:
    start_s = time.perf_counter()
    _wait(function())
    return time.perf_counter() - start_s


def _wait(results: object) -> None:
    """Copies the results' last value to the host, which a GPU has computed by then."""
    for result in tf.nest.flatten(results)[-1:]:
        result.numpy()
