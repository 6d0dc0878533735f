"""A training configuration with tuned values in it."""

import json
from collections.abc import Mapping

from trainer.config.overrides import override, override_text
from trainer.config.trainer import TrainerConfig
from trainer.tuning.config import Value


def tuned_config(config: TrainerConfig, values: Mapping[str, Value]) -> TrainerConfig:
    """Returns a copy of a training configuration with tuned values, checked as on the command line.

    Args:
      config: the configuration.
      values: by dotted key.

    Raises:
      ValueError: there is no such key, or the configuration does not take the value.
    """
    return override(config, {key: override_text(value) for key, value in values.items()})


def values_text(values: Mapping[str, Value]) -> str:
    """Returns the values as one line to read, numbers rounded to four digits."""
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={override_text(value)}"
        for key, value in values.items()
    )


def parse_hyperparameters(text: str) -> dict[str, Value]:
    """Reads the values of a `keras_tuner.HyperParameters`, written as JSON of its `get_config()`.

    Raises:
      ValueError: the text is something else.
    """
    try:
        values = json.loads(text)["values"]
    except (json.JSONDecodeError, TypeError, KeyError):
        values = None
    plain = isinstance(values, dict) and all(isinstance(value, bool | int | float | str) for value in values.values())
    if not plain:
        raise ValueError(
            'Hyper-parameters must be a JSON object with the tuned values by key under "values". '
            f"Received: {text[:80]!r}"
        )
    return values
