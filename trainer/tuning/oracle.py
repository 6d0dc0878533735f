"""What KerasTuner asks for the values of the next trial."""

import importlib.util
from typing import Any

import keras_tuner
from keras_tuner import oracles

from trainer.config.overrides import plain_values
from trainer.config.trainer import TrainerConfig
from trainer.training.train_model import BEST_METRIC
from trainer.tuning.config import TuningConfig
from trainer.tuning.hyperparameters import to_hyperparameters


def create_oracle(tuning: TuningConfig, config: TrainerConfig) -> keras_tuner.Oracle:
    """Returns the oracle of a search.

    Its first trial is the configuration as it is, if that lies in the search space, so that what is found is no worse.

    Args:
      tuning: the search.
      config: the configuration that it starts from.

    Raises:
      ValueError: the strategy is `"bayesian"` and scikit-learn is not installed.
    """
    if tuning.strategy == "bayesian" and importlib.util.find_spec("sklearn") is None:
        raise ValueError(
            "`strategy` 'bayesian' needs scikit-learn: pip install scikit-learn. Received: no such package"
        )
    own = plain_values(config)
    starts_from_config = all(part.holds(own[part.key]) for part in tuning.search_space)
    return _ORACLES[tuning.strategy, starts_from_config](
        objective=keras_tuner.Objective(BEST_METRIC, direction="max"),
        max_trials=tuning.num_trials,
        seed=tuning.seed,
        hyperparameters=to_hyperparameters(tuning, config),
        max_consecutive_failed_trials=tuning.num_trials + 1,  # trials that fail do not end the search
    )


class _DefaultsFirst(keras_tuner.Oracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        if self.trials:
            return super().populate_space(trial_id)
        return {"status": "RUNNING", "values": {part.name: part.default for part in self.get_space().space}}


class _RandomDefaultsFirst(_DefaultsFirst, oracles.RandomSearchOracle):
    pass


class _BayesianDefaultsFirst(_DefaultsFirst, oracles.BayesianOptimizationOracle):
    pass


_ORACLES = {
    ("random", False): oracles.RandomSearchOracle,
    ("random", True): _RandomDefaultsFirst,
    ("bayesian", False): oracles.BayesianOptimizationOracle,
    ("bayesian", True): _BayesianDefaultsFirst,
}
