"""Runs side by side: their settings and what came of them."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary as hparams_summary

from trainer.cascade_model import CascadeModel
from trainer.config import TrainerConfig
from trainer.config_json import to_plain
from trainer.monitoring.tags import tag
from trainer.training_record import EpochRecord

HParamValue: TypeAlias = bool | int | float | str

FINAL = "final/"
"""Begins the tags of what came of a run: the metrics of the evaluation split after the epoch that was kept."""

_METHODS = {"arf_v2": "arf"}  # settings of a method that are not of its name


def flat_hparams(config: TrainerConfig) -> dict[str, HParamValue]:
    """Flattens a configuration into the keys that `lcron run --set trainer.<key>=...` takes.

    A tuple of numbers or texts is one value, `"128,64"`, and `None` is `"none"`. Left out are the settings of methods
    that the run does not use, but for LCRON's, whose operator the survivals are seen by, and those of checkpoints.
    """
    plain = to_plain(config)
    del plain["checkpoints"]
    used = (_METHODS.get(config.loss.method, config.loss.method), "lcron", "catalogue")
    plain["loss"] = {
        name: value for name, value in plain["loss"].items() if not isinstance(value, dict) or name in used
    }
    return dict(_flat(plain))


def write_start(writer: tf.summary.SummaryWriter, model: CascadeModel) -> None:
    """Writes the settings of a run, and which of its metrics the view shows.

    Args:
      writer: of the run's folder itself.
      model: the cascade; its config is that of the run.
    """
    values = flat_hparams(model.config)
    metrics = [f"{FINAL}{tag(metric.name)}" for metric in (model.end_to_end_recall, *model.recalls)]
    metrics += [f"{FINAL}loss/total", f"{FINAL}epoch"]
    with writer.as_default(0):
        hp.hparams_config(
            hparams=[hp.HParam(name) for name in values],
            metrics=[hp.Metric(name, display_name=name.removeprefix(FINAL)) for name in metrics],
        )
        hp.hparams(values)


def write_end(writer: tf.summary.SummaryWriter, kept: EpochRecord | None) -> None:
    """Writes what came of a run.

    Args:
      writer: of the run's folder itself.
      kept: the epoch whose weights were kept; `None` if the run failed.
    """
    status = api_pb2.STATUS_FAILURE if kept is None else api_pb2.STATUS_SUCCESS
    with writer.as_default(0):
        tf.summary.experimental.write_raw_pb(hparams_summary.session_end_pb(status).SerializeToString())
        if kept is not None:
            for name, value in kept.validation.items():
                tf.summary.scalar(f"{FINAL}{tag(name)}", value)
            tf.summary.scalar(f"{FINAL}epoch", kept.epoch)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, HParamValue]]:
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = [(str(index), item) for index, item in enumerate(value)]
    elif isinstance(value, list):
        yield key, ",".join(map(str, value))
        return
    else:
        yield key, "none" if value is None else value
        return
    for name, item in items:
        yield from _flat(item, f"{key}.{name}" if key else name)
