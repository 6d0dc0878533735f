"""A training run that is killed again and again ends with the weights of one that is not.

`python -m pytest tests/trainer/training/checkpoints/test_killed_training.py --num-kills 20 --timeout 0` does so
twenty times.
"""

import json
from pathlib import Path

import pytest
from new_process import NewProcess

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.json_text import to_json
from trainer.config.losses import Bce, CatalogueLossConfig, LossConfig
from trainer.config.towers import Dssm, Mlp
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.release.candidate import load_model, read_manifest
from trainer.training.train_model import train_model

NUM_STEPS_OF_EPOCH = 5
CONFIG = TrainerConfig(
    stages=(
        StageConfig("retrieval", Dssm(hidden_units=(8,), output_dim=4), 20, list_capacity=4),
        StageConfig("ranking", Mlp(hidden_units=(8,)), 10, list_capacity=3),
    ),
    loss=LossConfig(Bce(), catalogue=CatalogueLossConfig(num_sampled_negatives=16, num_retrieved_negatives=0)),
    item_embedding_dim=4,
    epochs=8,
    batch_size=16,
    learning_rate=1e-2,
    history_dropout=0.2,
    checkpoints=CheckpointConfig(interval_s=None, interval_steps=1),
)


@pytest.fixture(scope="module")
def whole(transformed_data):
    """What comes of a run that nobody disturbed."""
    return train_model(CONFIG, transformed_data.training_data(), report=lambda line: None)


@pytest.fixture(scope="module")
def num_kills(request):
    return request.config.getoption("--num-kills")


@pytest.fixture(scope="module")
def killed(transformed_data, tmp_path_factory, num_kills):
    """Folders of a run with deaths, and what was printed about them."""
    folder = tmp_path_factory.mktemp("killed")
    arguments = {
        "files": to_json(transformed_data.training_files),
        **_folders(folder),
        "config": to_json(CONFIG),
        "features": to_json(transformed_data.features),
        "num_steps": CONFIG.epochs * NUM_STEPS_OF_EPOCH,
    }
    paths = [folder / "arguments.json", folder / "outcome.json"]
    paths[0].write_text(json.dumps(arguments))
    script, log = Path(__file__).with_name("killed_training.py"), folder / "printed"
    process = NewProcess(script, [*map(str, paths), str(num_kills), "7"], log)
    assert process.wait() == 0, log.read_text()
    return _folders(folder), json.loads(paths[1].read_text())


def _folders(folder: Path) -> dict[str, str]:
    return {f"{name}_dir": str(folder / name) for name in ("output", "log", "checkpoint", "packed")}


def test_children_died_and_left_half_written_checkpoints(killed, num_kills):
    _, outcome = killed
    assert len(outcome["killed_at"]) == num_kills
    assert outcome["num_half_written"] > 0


def test_weights_are_equal_bit_for_bit(whole, killed):
    model = load_model(killed[0]["output_dir"])
    model.compile()  # then it has the variables that a model has in training
    weights, others = whole.model.get_weights(), model.get_weights()
    assert [other.tobytes() for other in others] == [weight.tobytes() for weight in weights]


def test_records_are_equal_but_for_the_time(whole, killed):
    other = read_manifest(killed[0]["output_dir"]).record
    epochs, others = ([(e.epoch, e.train, e.validation) for e in found] for found in (whole.state.epochs, other.epochs))
    assert len(epochs) == CONFIG.epochs
    assert others == epochs
    assert other.best_epoch == whole.best_epoch


def test_a_run_that_is_over_leaves_no_checkpoints(killed):
    assert list(Path(killed[0]["checkpoint_dir"]).iterdir()) == []
