import dataclasses
import functools
import resource

import numpy as np
import pytest
import tensorflow as tf

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.losses import CatalogueLossConfig, LossConfig, Ranking
from trainer.config.towers import Dssm, Mlp
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.data.batches import RequestBatches
from trainer.data.features import FeatureSpec
from trainer.data.item_table import ItemTable
from trainer.data.request_batch import empty_batch
from trainer.model.cascade_model import CascadeModel
from trainer.training.best_epoch import BestEpoch
from trainer.training.checkpoints.checkpoint_file import CheckpointError, read_checkpoint
from trainer.training.checkpoints.store import CheckpointStore
from trainer.training.finite_loss import DivergedError
from trainer.training.fit import fit
from trainer.training.replicas.steps import Steps

NUM_ITEMS, NUM_STEPS = 20, 4  # steps of an epoch
POISON = NUM_ITEMS  # an item that no request has
FEATURES = FeatureSpec(history_size=2, list_size=6)
CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", Dssm(hidden_units=(4,), output_dim=4), 10, list_capacity=4),
        StageConfig("ranking", Mlp(hidden_units=(4,)), 5, list_capacity=2),
    ),
    loss=LossConfig(
        Ranking(("softmax_loss",)),
        catalogue=CatalogueLossConfig(weight=0.0),
    ),
    item_embedding_dim=4,
    epochs=3,
    batch_size=8,
    learning_rate=1e-2,
    learning_rate_decay="none",
    history_dropout=0.2,
    checkpoints=CheckpointConfig(interval_s=None, interval_steps=1, num_kept=100),
)


class Killed(BaseException):
    """The process is gone."""


class KillAfter(tf.keras.callbacks.Callback):
    """Kills in the step after `step`, in the validation if that was the last of an epoch."""

    def __init__(self, step):
        super().__init__()
        self._left = step

    def on_train_batch_end(self, batch, logs):
        self._left -= 1
        if self._left < 0:
            raise Killed

    def on_epoch_end(self, epoch, logs):
        if self._left == 0:
            raise Killed


def requests(num_requests=8 * NUM_STEPS - 3):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, [num_requests, 6])
    return {
        "history_item": rng.integers(1, NUM_ITEMS, [num_requests, 2]).astype(np.int32),
        "history_where": np.ones([num_requests, 2], bool),
        "candidate_item": rng.integers(1, NUM_ITEMS, [num_requests, 6]).astype(np.int32),
        "candidate_stage": labels.astype(np.int32),
        "where": np.ones([num_requests, 6], bool),
        "labels": labels.astype(np.float32),
        "ground_truth": labels > 0,
    }


@functools.cache
def untrained(config=CONFIG):
    """A model, its compiled steps and its first values. Runs of a configuration share them."""
    table = ItemTable([b"%d" % item for item in range(NUM_ITEMS)], np.zeros([NUM_ITEMS + 1, 0]), ())
    model = CascadeModel(config, FEATURES, (), table, precision=config.precision)
    model(empty_batch(FEATURES, ()))
    model.compile()
    model.prepare_training()
    steps = Steps(model, RequestBatches(requests(), config.batch_size).element_spec)
    return model, steps, [variable.numpy() for variable in model.training_variables]


def run(folder=None, *callbacks, config=CONFIG, data=None, patience=None, interval_steps=1, lines=None):
    """Trains; returns what every variable is at the end, and the run's state."""
    model, steps, values = untrained(config)
    for variable, value in zip(model.training_variables, values, strict=True):
        variable.assign(value)
    for stage in model.stages:  # finite, and so is every weight until the item is met
        stage.item_encoder.item_embedding.embeddings[POISON].assign(tf.fill([config.item_embedding_dim], 3e38))
    checkpoints = dataclasses.replace(config.checkpoints, interval_steps=interval_steps)
    model.config = dataclasses.replace(config, checkpoints=checkpoints)
    state = fit(
        model,
        RequestBatches(requests() if data is None else data, config.batch_size, shuffle_seed=1),
        RequestBatches(requests(8), config.batch_size),
        best=BestEpoch("val_end_to_end_recall", patience),
        callbacks=callbacks,
        store=None if folder is None else CheckpointStore(folder, config.checkpoints.num_kept),
        steps=steps,
        report=(lambda line: None) if lines is None else lines.append,
    )
    return [variable.numpy() for variable in model.training_variables], state


@pytest.fixture(scope="module")
def whole():
    return run()


def assert_same(result, expected):
    for array, other in zip(result[0], expected[0], strict=True):
        assert array.tobytes() == other.tobytes()
    for epoch, other in zip(result[1].epochs, expected[1].epochs, strict=True):
        timeless = [dataclasses.replace(record, duration_s=0.0, waiting_s=0.0) for record in (epoch, other)]
        assert timeless[0] == timeless[1]
    assert (result[1].epoch, result[1].step) == (expected[1].epoch, expected[1].step)


def test_checkpoints_do_not_change_what_is_learned(whole, tmp_path):
    assert_same(run(tmp_path), whole)


@pytest.mark.parametrize(("step", "position"), [(2, (1, 3)), (NUM_STEPS, (1, NUM_STEPS + 1)), (NUM_STEPS + 1, (2, 1))])
def test_an_interrupted_run_goes_on_to_the_same_bits(whole, tmp_path, step, position):
    """From the middle of an epoch, from its end before the validation, and from the start of the next one."""
    with pytest.raises(Killed):
        run(tmp_path, KillAfter(step), interval_steps=step)
    lines = []
    assert_same(run(tmp_path, lines=lines), whole)
    epoch, step = position
    assert lines == [f"goes on at epoch {epoch} step {step}, from the checkpoint in {tmp_path}"]


@pytest.mark.parametrize(
    "settings", [{"optimizer": "lazy_adam", "learning_rate_decay": "linear"}, {"precision": "float16"}]
)
def test_an_interrupted_run_goes_on_with_other_settings(tmp_path, settings):
    config = dataclasses.replace(CONFIG, **settings)
    with pytest.raises(Killed):
        run(tmp_path, KillAfter(NUM_STEPS + 1), config=config, interval_steps=2)
    assert_same(run(tmp_path, config=config), run(config=config))


def test_a_run_that_is_over_only_ends(whole, tmp_path):
    run(tmp_path)
    assert_same(run(tmp_path, KillAfter(0)), whole)


def test_a_damaged_checkpoint_costs_some_steps_and_no_bit(whole, tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, KillAfter(3))
    newest = CheckpointStore(tmp_path, 100).paths()[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    lines = []
    assert_same(run(tmp_path, lines=lines), whole)
    assert lines[0].startswith(f"warning: skipped a damaged checkpoint: {newest} cannot be read")


def test_another_model_is_refused(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, KillAfter(3))
    with pytest.raises(ValueError, match=rf"The checkpoints in {tmp_path} must be of this model"):
        run(tmp_path, config=dataclasses.replace(CONFIG, item_embedding_dim=2))


def test_patience_ends_the_run_before_its_last_epoch():
    _, state = run(patience=1, data={**requests(), "where": np.zeros([8 * NUM_STEPS - 3, 6], bool)})  # teaches nothing
    assert [epoch.epoch for epoch in state.epochs] == [1, 2]


def test_a_poisoned_batch_stops_the_run_and_leaves_the_checkpoint_before_it(tmp_path):
    data = requests()
    batches = RequestBatches(data, CONFIG.batch_size, shuffle_seed=1)
    data["history_item"][batches.indices(0, 2)[5]] = POISON
    with pytest.raises(
        DivergedError, match=r"Training diverged: (`.*_loss` is (nan|inf)|the gradient is not finite) at step 3\. "
    ) as caught:
        run(tmp_path, data=data, interval_steps=2)
    assert caught.value.step == 2
    newest = CheckpointStore(tmp_path, 100).paths()[-1]
    assert newest.name == "step-000000000002.npz"
    state, arrays = read_checkpoint(newest)
    assert (state.epoch, state.step) == (0, 2)
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_a_full_disk_stops_the_run_and_leaves_the_checkpoint_before_it(whole, tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, KillAfter(3))
    before = {path: path.read_bytes() for path in CheckpointStore(tmp_path, 100).paths()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(CheckpointError, match=r"cannot be written to .*: File too large.*\.npz\. Mend"):
            run(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in CheckpointStore(tmp_path, 100).paths()} == before
    assert_same(run(tmp_path), whole)
