import dataclasses
import importlib.util

import pytest

from trainer.config.trainer import TrainerConfig
from trainer.tuning.config import Choice, Float, Int, TuningConfig
from trainer.tuning.hyperparameters import to_hyperparameters
from trainer.tuning.oracle import create_oracle

SPACE = (
    Float("learning_rate", 1e-4, 1e-2, sampling="log"),
    Int("stages.0.tower.output_dim", 16, 64, step=16),
    Int("batch_size", 32, 512, step=2, sampling="log"),
    Choice("stages.1.tower.hidden_units", ("64,32", "128,64")),
)


def test_every_range_has_its_bounds_and_the_configuration_as_its_default():
    space = to_hyperparameters(TuningConfig(SPACE), TrainerConfig()).space
    assert [(part.__class__.__name__, part.name, part.default) for part in space] == [
        ("Float", "learning_rate", 1e-3),
        ("Int", "stages.0.tower.output_dim", 32),
        ("Int", "batch_size", 256),
        ("Choice", "stages.1.tower.hidden_units", "128,64"),
    ]
    rate, dim, size, _ = (part.get_config() for part in space)
    assert (rate["min_value"], rate["max_value"], rate["sampling"]) == (1e-4, 1e-2, "log")
    assert (dim["min_value"], dim["max_value"], dim["step"], dim["sampling"]) == (16, 64, 16, "linear")
    assert (size["min_value"], size["max_value"], size["step"], size["sampling"]) == (32, 512, 2, "log")


def test_without_a_value_in_the_range_the_default_is_its_least():
    config = dataclasses.replace(TrainerConfig(), learning_rate=0.5)
    assert to_hyperparameters(TuningConfig(SPACE), config).space[0].default == 1e-4


OWN = {
    "learning_rate": 1e-3,
    "stages.0.tower.output_dim": 32,
    "batch_size": 256,
    "stages.1.tower.hidden_units": "128,64",
}


def first_values(strategy, config):
    oracle = create_oracle(TuningConfig(SPACE, strategy=strategy), config)
    return oracle.populate_space("0")["values"]


def test_the_first_trial_is_the_configuration_if_it_lies_in_the_search_space():
    assert first_values("random", TrainerConfig()) == OWN
    assert first_values("random", dataclasses.replace(TrainerConfig(), batch_size=100))["batch_size"] != 100


def test_the_bayesian_strategy_runs_or_says_what_it_needs():
    if importlib.util.find_spec("sklearn"):
        assert first_values("bayesian", TrainerConfig()) == OWN
    else:
        with pytest.raises(ValueError, match=r"`strategy` 'bayesian' needs scikit-learn: pip install scikit-learn"):
            first_values("bayesian", TrainerConfig())


def test_draws_stay_in_the_search_space_and_come_from_the_seed():
    def draws(seed):
        oracle = create_oracle(TuningConfig(SPACE, strategy="random", seed=seed), TrainerConfig(batch_size=100))
        return [oracle.populate_space(str(number))["values"] for number in range(20)]

    for values in draws(1):
        assert all(part.holds(values[part.key]) for part in SPACE), values
    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
