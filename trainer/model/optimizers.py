"""The optimiser of the network and its learning rate, as the configuration says."""

import tensorflow as tf

from trainer.config.trainer import OptimizerKind, TrainerConfig
from trainer.model.lazy_adam import LazyAdam

OPTIMIZERS: dict[OptimizerKind, type[tf.keras.optimizers.Optimizer]] = {
    "adam": tf.keras.optimizers.Adam,
    "lazy_adam": LazyAdam,
}


def build_optimizer(config: TrainerConfig, num_steps: int | None = None) -> tf.keras.optimizers.Optimizer:
    """Returns the optimiser of a run.

    Args:
      config: the training run.
      num_steps: see `learning_rate`.
    """
    return OPTIMIZERS[config.optimizer](learning_rate(config, num_steps))


def learning_rate(
    config: TrainerConfig, num_steps: int | None = None
) -> float | tf.keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate: it comes down to zero over the run, unless `learning_rate_decay` is `"none"`.

    Args:
      config: the training run.
      num_steps: steps of the whole run; `None`, if they are not known, keeps the rate.
    """
    if config.learning_rate_decay == "none" or num_steps is None:
        return config.learning_rate
    return tf.keras.optimizers.schedules.PolynomialDecay(config.learning_rate, num_steps, end_learning_rate=0.0)
