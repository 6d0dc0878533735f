"""Steps and runs of a tiny cascade over one replica and over two, in a process of its own: `replicas.py OUT.npz`.

The optimisers are gradient descent at rate one with momentum: what the first step takes from a weight is its gradient,
and a checkpoint has the momentum to keep. Most steps run operation by operation, which takes less time than to compile
one; over two replicas TensorFlow can gather only in compiled ones.
"""

import contextlib
import dataclasses
import functools
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.losses import Bce, CatalogueLossConfig, FsRankNet, Lcron, LossConfig
from trainer.config.towers import Din, Dssm, ItemSimilarity
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.batches import RequestBatches
from trainer.data.features import FeatureSpec
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel
from trainer.training.best_epoch import BestEpoch
from trainer.training.checkpoints.store import CheckpointStore
from trainer.training.fit import fit
from trainer.training.replicas.steps import Steps
from trainer.training.replicas.strategy import open_strategy

NUM_ITEMS, LIST_SIZE, HISTORY_SIZE = 20, 6, 3
FEATURES = FeatureSpec(history_size=HISTORY_SIZE, list_size=LIST_SIZE)
CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", Dssm(hidden_units=(4,), output_dim=4), 10, list_capacity=4),
        StageConfig("ranking", Din(hidden_units=(4,), attention_units=3), 5, list_capacity=2),
    ),
    loss=LossConfig(catalogue=CatalogueLossConfig(num_sampled_negatives=8, num_retrieved_negatives=5)),
    item_embedding_dim=4,
    epochs=2,
    batch_size=8,
    history_dropout=0.3,
    checkpoints=CheckpointConfig(interval_s=None, interval_steps=1),
)


def _without_retrieved(config, **loss):
    catalogue = dataclasses.replace(config.loss.catalogue, num_retrieved_negatives=0)
    return dataclasses.replace(config, loss=dataclasses.replace(config.loss, catalogue=catalogue, **loss))


def _without_in_batch(config, **loss):
    catalogue = dataclasses.replace(config.loss.catalogue, in_batch_negatives=False)
    return _without_retrieved(
        dataclasses.replace(config, loss=dataclasses.replace(config.loss, catalogue=catalogue)), **loss
    )


WHOLE_CATALOGUE = dataclasses.replace(
    CONFIG,
    stages=(
        StageConfig("retrieval", ItemSimilarity(hidden_units=(4,), output_dim=4), 10, list_capacity=4),
        dataclasses.replace(CONFIG.stages[1], adds_to_previous=True),
    ),
    loss=LossConfig(
        catalogue=CatalogueLossConfig(num_sampled_negatives=None, num_retrieved_negatives=0, hidden_event_weight=1.0)
    ),
)
CONFIGS = {
    "whole_catalogue": WHOLE_CATALOGUE,
    "lcron": CONFIG,
    "perturbed_top_k": _without_in_batch(CONFIG, method=Lcron(operator="perturbed_top_k", temperature=1.0)),
    "bce": _without_in_batch(CONFIG, method=Bce()),
    "fs_ranknet_lazy_adam": dataclasses.replace(_without_retrieved(CONFIG, method=FsRankNet()), optimizer="lazy_adam"),
}
COMPILED = ("lcron", "fs_ranknet_lazy_adam")  # over two replicas
NUM_REQUESTS = {"uneven": 7, "one": 1}
CASES = [
    "lcron/uneven",
    "lcron/one",
    "whole_catalogue/uneven",
    "perturbed_top_k/uneven",
    "bce/uneven",
    "fs_ranknet_lazy_adam/uneven",
]


def requests(num_requests, seed=3):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, [num_requests, LIST_SIZE])
    where = np.arange(LIST_SIZE) < rng.integers(2, LIST_SIZE + 1, [num_requests, 1])
    history_where = np.arange(HISTORY_SIZE) < rng.integers(0, HISTORY_SIZE + 1, [num_requests, 1])
    return {
        "history_item": (rng.integers(1, NUM_ITEMS, history_where.shape) * history_where).astype(np.int32),
        "history_where": history_where,
        "candidate_item": (rng.integers(1, NUM_ITEMS, where.shape) * where).astype(np.int32),
        "candidate_stage": (labels * where).astype(np.int32),
        "where": where,
        "labels": (labels * where).astype(np.float32),
        "ground_truth": (labels == 2) & where,
    }


@functools.cache
def untrained(config, strategy):
    """A model, its compiled steps and its first values. Whatever runs over the same replicas shares them."""
    tf.keras.utils.set_random_seed(5)
    frequency = np.log(np.arange(1, NUM_ITEMS + 2) / np.arange(1, NUM_ITEMS + 2).sum())
    with strategy.scope():
        table = ItemTable([b"%d" % item for item in range(NUM_ITEMS)], np.zeros([NUM_ITEMS + 1, 0]), ())
        model = CascadeModel(config, FEATURES, (), table, frequency)
        model(empty_batch(FEATURES, ()))
        model.compile(*(tf.keras.optimizers.SGD(1.0, momentum=0.9) for _ in range(2)))
        model.prepare_training()
    steps = Steps(model, RequestBatches(requests(1), 1).element_spec)
    return model, steps, [variable.numpy() for variable in model.training_variables]


def model_and_steps(config, strategy):
    """With the same values each time."""
    model, steps, values = untrained(config, strategy)
    for variable, value in zip(model.training_variables, values, strict=True):
        variable.assign(value)
    return model, steps


def step(config, strategy, num_requests):
    """Returns metrics and norms by name, and the gradients by number."""
    model, steps = model_and_steps(config, strategy)
    variables = [variable for tower in model.stages for variable in tower.trainable_variables]
    variables += model.cascade_loss.trainable_variables
    before = [variable.numpy() for variable in variables]
    logs = steps.train(next(iter(RequestBatches(requests(num_requests), num_requests).epoch())))
    results = {name: value.numpy() for name, value in logs.items()}
    gradients = zip(before, variables, strict=True)
    return results | {f"gradient_{n}": old - new.numpy() for n, (old, new) in enumerate(gradients)}


class Killed(BaseException):
    """The process is gone."""


class KillAfter(tf.keras.callbacks.Callback):
    def __init__(self, num_steps):
        super().__init__()
        self._left = num_steps

    def on_train_batch_end(self, batch, logs):
        self._left -= 1
        if self._left < 0:
            raise Killed


def run(config, strategy, folder=None, num_steps=None):
    """Trains two epochs, the second batch of each smaller; killed after some steps and called again, if asked."""
    callbacks = [] if num_steps is None else [KillAfter(num_steps)]
    model, steps = model_and_steps(config, strategy)
    batches = RequestBatches(requests(13), config.batch_size, shuffle_seed=1)
    evaluation = RequestBatches(requests(5, seed=4), config.batch_size)
    store = None if folder is None else CheckpointStore(folder, 2)
    best = BestEpoch("val_end_to_end_recall")
    try:
        state = fit(model, batches, evaluation, best=best, callbacks=callbacks, store=store, steps=steps)
    except Killed:
        return run(config, strategy, folder)
    of_metrics = {variable.ref() for metric in model.metrics for variable in metric.variables}
    results = {
        f"{'metric' if variable.ref() in of_metrics else 'variable'}_{n}": variable.numpy()
        for n, variable in enumerate(model.training_variables)
    }
    return results | {f"validation_{name}": value for name, value in state.epochs[-1].validation.items()}


@contextlib.contextmanager
def operation_by_operation():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def main(path, folder):
    two = open_strategy(dataclasses.replace(CONFIG, distribution="mirrored", num_devices=2))
    one = tf.distribute.MirroredStrategy(["CPU:0"])
    none = tf.distribute.get_strategy()
    results = {"num_replicas": two.num_replicas_in_sync}
    for case in CASES:
        name, size = case.split("/")
        plain = CONFIGS[name]
        spread = dataclasses.replace(plain, distribution="mirrored")
        with operation_by_operation():
            of_one = step(*((spread, one) if name == "lcron" else (plain, none)), NUM_REQUESTS[size])
        with contextlib.nullcontext() if name in COMPILED else operation_by_operation():
            of_two = step(spread, two, NUM_REQUESTS[size])
        for which, values in {"one": of_one, "two": of_two}.items():
            results |= {f"{case}/{which}/{key}": value for key, value in values.items()}
    spread = dataclasses.replace(CONFIG, distribution="mirrored")
    with operation_by_operation():
        runs = {"one": run(spread, one)}
    runs |= {"two": run(spread, two), "killed": run(spread, two, folder, 3)}
    results |= {f"run/{which}/{key}": value for which, values in runs.items() for key, value in values.items()}
    np.savez(path, **results)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
