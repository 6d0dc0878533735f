import dataclasses

from trainer.config import TrainerConfig
from trainer.losses.config import LossConfig
from trainer.monitoring.hparams import flat_hparams


def test_settings_have_the_keys_of_overrides():
    values = flat_hparams(TrainerConfig(learning_rate=3e-3))
    assert values["learning_rate"] == 3e-3
    assert values["patience"] == "none"
    assert values["stages.1.name"] == "ranking"
    assert values["stages.0.hidden_units"] == "128,64"
    assert values["loss.method"] == "lcron"
    assert values["loss.lcron.operator"] == "neural_sort"
    assert values["loss.catalogue.positive_weights"] == ""
    assert all(isinstance(value, bool | int | float | str) for value in values.values())


def test_settings_that_the_run_does_not_use_are_left_out():
    stages = tuple(dataclasses.replace(stage, list_capacity=5) for stage in TrainerConfig().stages)
    keys = flat_hparams(TrainerConfig(stages=stages, loss=LossConfig("arf_v2")))
    groups = {key.split(".")[1] for key in keys if key.startswith("loss.") and key.count(".") == 2}
    assert groups == {"arf", "lcron", "catalogue"}
    assert not [key for key in keys if key.startswith("checkpoints")]
