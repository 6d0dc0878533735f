"""The experiments that come with the project, one module each.

A module holds `config()` and `smoke()`, its small variant; both return an `ExperimentConfig`.
"""

import importlib

from pipeline.experiment import ExperimentConfig

NAMES = ("demo", "recflow_two_stage", "recflow_three_stage", "kuairand", "gpu_smoke")


def load(name: str, *, smoke: bool = False) -> ExperimentConfig:
    """Returns an experiment by name.

    Args:
      name: one of `NAMES`.
      smoke: its small variant.

    Raises:
      ValueError: there is no such experiment.
    """
    if name not in NAMES:
        raise ValueError(f"`config` must be one of {', '.join(NAMES)}. Received: {name!r}")
    module = importlib.import_module(f"pipeline.configs.{name}")
    return module.smoke() if smoke else module.config()
