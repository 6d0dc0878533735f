import dataclasses

from trainer.config.losses import ArfV2, LossConfig
from trainer.config.trainer import TrainerConfig
from trainer.monitoring.hparams import flat_hparams


def test_settings_have_the_keys_of_overrides():
    values = flat_hparams(TrainerConfig(learning_rate=3e-3))
    assert values["learning_rate"] == 3e-3
    assert values["patience"] == "none"
    assert values["stages.1.name"] == "ranking"
    assert values["stages.0.tower.hidden_units"] == "128,64"
    assert values["loss.method"] == "lcron"
    assert values["loss.method.operator"] == "neural_sort"
    assert values["loss.catalogue.positive_weights"] == ""
    assert all(isinstance(value, bool | int | float | str) for value in values.values())


def test_settings_that_the_run_does_not_use_are_left_out():
    stages = tuple(dataclasses.replace(stage, list_capacity=5) for stage in TrainerConfig().stages)
    keys = flat_hparams(TrainerConfig(stages=stages, loss=LossConfig(ArfV2())))
    assert [key for key in keys if key.startswith("loss.method")] == [
        "loss.method",
        "loss.method.temperature",
        "loss.method.epsilon",
    ]
    assert not [key for key in keys if key.startswith("checkpoints")]
