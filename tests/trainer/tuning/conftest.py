"""A cascade that trains in a moment, and a search over it."""

import pytest

from trainer.config.checkpoints import CheckpointConfig
from trainer.config.losses import CatalogueLossConfig, LossConfig, Ranking
from trainer.config.towers import Dssm, Mlp
from trainer.config.trainer import StageConfig, TrainerConfig
from trainer.tuning.config import Choice, Float, TuningConfig


@pytest.fixture(scope="session")
def tiny_config():
    return TrainerConfig(
        stages=(
            StageConfig("retrieval", Dssm(hidden_units=(8,), output_dim=4), 20, list_capacity=4),
            StageConfig("ranking", Mlp(hidden_units=(8,)), 10, list_capacity=3),
        ),
        loss=LossConfig(Ranking(("softmax_loss",)), catalogue=CatalogueLossConfig(weight=0.0)),
        item_embedding_dim=4,
        batch_size=16,
        learning_rate=1e-2,
        checkpoints=CheckpointConfig(interval_s=None, interval_steps=1),
    )


@pytest.fixture(scope="session")
def tiny_tuning():
    space = (Float("learning_rate", 1e-3, 1e-1, sampling="log"), Choice("stages.1.tower.hidden_units", ("8", "16,8")))
    return TuningConfig(space, num_trials=2, epochs=2, strategy="random")
