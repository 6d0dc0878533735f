"""Runs side by side: their settings and what came of them."""

from typing import TypeAlias

import tensorflow as tf
from tensorboard.plugins.hparams import api as hp
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary as hparams_summary

from trainer.config.overrides import override_text, plain_values
from trainer.config.trainer import TrainerConfig
from trainer.model.cascade_model import CascadeModel
from trainer.monitoring.tensorboard import tag
from trainer.release.training_record import EpochRecord

HParamValue: TypeAlias = bool | int | float | str

FINAL = "final/"
"""Begins the tags of what came of a run: the metrics of the evaluation split after the epoch that was kept."""


def flat_hparams(config: TrainerConfig) -> dict[str, HParamValue]:
    """Flattens a configuration into the keys that `lcron run --set trainer.<key>=...` takes.

    A tuple of numbers or texts is one value, `"128,64"`, and `None` is `"none"`. Those of checkpoints are left out.
    """
    return {
        key: value if isinstance(value, bool | int | float | str) else override_text(value)
        for key, value in plain_values(config).items()
        if not key.startswith("checkpoints.")
    }


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
