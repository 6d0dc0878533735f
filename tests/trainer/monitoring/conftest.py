"""A tiny run that writes all views."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.losses import CatalogueLossConfig, LossConfig
from trainer.config.towers import Dssm, Mlp
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.batches import RequestBatches
from trainer.data.features import FeatureSpec
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel
from trainer.monitoring.monitoring import Monitoring
from trainer.training.best_epoch import BestEpoch
from trainer.training.checkpoints.run_state import RunState
from trainer.training.checkpoints.store import CheckpointStore
from trainer.training.fit import fit

NUM_ITEMS, NUM_STEPS = 20, 4  # steps of an epoch
FEATURES = FeatureSpec(history_size=2, list_size=6)
CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", Dssm(hidden_units=(4,), output_dim=4), 10, list_capacity=4),
        StageConfig("ranking", Mlp(hidden_units=(4,)), 5, list_capacity=2),
    ),
    loss=LossConfig(catalogue=CatalogueLossConfig(num_sampled_negatives=4)),
    item_embedding_dim=4,
    epochs=2,
    batch_size=8,
    learning_rate=1e-2,
    checkpoints=CheckpointConfig(interval_s=None, interval_steps=1),
)


@dataclasses.dataclass
class Run:
    """A training: call it to train, from the newest checkpoint in `store_dir` if there is one.

    Args:
      model: compiled.
      train_batches: the training split.
      eval_batches: the evaluation split.
    """

    model: CascadeModel
    train_batches: RequestBatches
    eval_batches: RequestBatches

    def __call__(
        self,
        log_dir: Path,
        *callbacks: tf.keras.callbacks.Callback,
        store_dir: Path | None = None,
        profile: bool = False,
        report: Callable[[str], None] = lambda line: None,
    ) -> RunState:
        store = CheckpointStore(store_dir, 2) if store_dir else None
        kept_dir = store_dir / "logs" if store_dir else None
        with Monitoring(str(log_dir), kept_dir=kept_dir, profile=profile, report=report) as monitoring:
            state = fit(
                self.model,
                self.train_batches,
                self.eval_batches,
                best=BestEpoch("val_end_to_end_recall"),
                callbacks=[*monitoring.callbacks, *callbacks],
                store=store,
            )
            monitoring.finish(state.epochs[0])
        return state


@pytest.fixture(scope="package")
def start_run() -> Callable[[], Run]:
    """Makes runs that start from the same weights; they share a model."""
    tf.keras.utils.set_random_seed(1)
    table = ItemTable([b"%d" % item for item in range(NUM_ITEMS)], np.zeros([NUM_ITEMS + 1, 0]), ())
    model = CascadeModel(CONFIG, FEATURES, (), table)
    model(empty_batch(FEATURES, ()))
    model.compile()
    model.prepare_training()
    values = [variable.numpy() for variable in model.training_variables]
    train_batches = RequestBatches(_requests(8 * NUM_STEPS - 3), CONFIG.batch_size, shuffle_seed=1)
    eval_batches = RequestBatches(_requests(8), CONFIG.batch_size)

    def start() -> Run:
        for variable, value in zip(model.training_variables, values, strict=True):
            variable.assign(value)
        return Run(model, train_batches, eval_batches)

    return start


def _requests(num_requests: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(num_requests)
    where = np.arange(6) < rng.integers(4, 7, [num_requests, 1])
    ground_truth = where & (rng.random([num_requests, 6]) < 0.4)
    columns: Sequence[tuple[str, np.ndarray]] = (
        ("history_item", rng.integers(1, NUM_ITEMS, [num_requests, 2]).astype(np.int32)),
        ("history_where", np.ones([num_requests, 2], bool)),
        ("candidate_item", (rng.integers(1, NUM_ITEMS, [num_requests, 6]) * where).astype(np.int32)),
        ("candidate_stage", ground_truth.astype(np.int32)),
        ("where", where),
        ("labels", ground_truth.astype(np.float32)),
        ("ground_truth", ground_truth),
    )
    return dict(columns)
