"""The charts that TensorBoard's custom scalars open with."""

import re
from collections.abc import Sequence

import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar_summary

from trainer.model.cascade_model import CascadeModel
from trainer.monitoring.survival_bound import SurvivalBound
from trainer.monitoring.tensorboard import tag


def cascade_layout(model: CascadeModel) -> layout_pb2.Layout:
    """Arranges the scalars of a run: end to end, stages, losses, bound, gradients, speed.

    Args:
      model: the cascade, compiled or not; it says which stages and losses there are.

    Returns:
      The layout. Its charts name tags that a run of the model writes and no others.
    """
    stages = [stage.name for stage in model.config.stages]
    losses = [tag(name) for name in model.loss_means]
    terms = [name for name in losses if name.startswith("loss/") and name != "loss/total"]
    weights = [name for name in losses if name.startswith("loss_weight/")]
    norms = _tags("gradient_norm", stages)
    if model.cascade_loss.trainable_variables:
        norms.append("gradient_norm/loss_weights")
    return layout_pb2.Layout(
        category=[
            _category(
                "end to end",
                _chart("recall of the cascade", ["recall/end_to_end"]),
                _chart("total loss", ["loss/total"]),
                _chart("recall, stage by stage", _tags("recall", [*stages, "end_to_end"])),
            ),
            _category(
                "stages",
                *(_chart(f"recall of {stage}", [f"recall/{stage}"]) for stage in stages),
            ),
            _category(
                "losses",
                *(_chart(name.removeprefix("loss/"), [name]) for name in terms),
                *([_chart("weights", weights)] if weights else []),
            ),
            _category(
                "bound",
                _chart("product of survivals and what survives", _tags("bound", SurvivalBound._fields[:3])),
                _chart("tightness", ["bound/tightness"]),
            ),
            _category(
                "gradients",
                _chart("norm of all gradients", ["gradient_norm/global"]),
                _chart("norm by stage", norms),
                _chart("learning rate", ["learning_rate"]),
            ),
            _category(
                "speed",
                _chart("seconds per step", ["speed/step_s"]),
                _chart("share of waiting for data", ["speed/waiting_share"]),
            ),
        ]
    )


def write_layout(writer: tf.summary.SummaryWriter, model: CascadeModel) -> None:
    """Writes the layout as the summary `custom_scalars__config__`, which the plug-in looks for in every run."""
    with writer.as_default():
        tf.summary.experimental.write_raw_pb(custom_scalar_summary.pb(cascade_layout(model)).SerializeToString(), 0)


def _tags(group: str, names: Sequence[str]) -> list[str]:
    return [f"{group}/{name}" for name in names]


def _category(title: str, *charts: layout_pb2.Chart) -> layout_pb2.Category:
    return layout_pb2.Category(title=title, chart=charts)


def _chart(title: str, tags: Sequence[str]) -> layout_pb2.Chart:
    content = layout_pb2.MultilineChartContent(tag=[f"^{re.escape(name)}$" for name in tags])
    return layout_pb2.Chart(title=title, multiline=content)
