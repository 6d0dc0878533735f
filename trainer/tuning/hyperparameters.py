"""The search space as KerasTuner knows it."""

import keras_tuner

from trainer.config.overrides import plain_values
from trainer.config.trainer import TrainerConfig
from trainer.tuning.config import Choice, Float, TuningConfig


def to_hyperparameters(tuning: TuningConfig, config: TrainerConfig) -> keras_tuner.HyperParameters:
    """Returns the search space with the configuration's own values as the defaults, where they lie in it.

    Args:
      tuning: the search.
      config: the configuration that it starts from.
    """
    own = plain_values(config)
    hyperparameters = keras_tuner.HyperParameters()
    for part in tuning.search_space:
        value = own[part.key] if part.holds(own[part.key]) else None
        if isinstance(part, Choice):
            hyperparameters.Choice(part.key, list(part.values), default=part.find(value))
        elif isinstance(part, Float):
            hyperparameters.Float(part.key, part.low, part.high, sampling=part.sampling, default=value)
        else:
            hyperparameters.Int(part.key, part.low, part.high, step=part.step, sampling=part.sampling, default=value)
    return hyperparameters
