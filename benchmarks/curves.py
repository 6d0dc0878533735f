"""How every sorting operator and every loss sees one item, as pictures: `python -m benchmarks.curves --out docs`."""

import io
import json
import os
import re
import statistics
from pathlib import Path
from typing import NamedTuple

import click
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.config.losses import (
    METHODS,
    Lcron,
    LossConfig,
)
from trainer.config.operator_kind import DEFAULT_TEMPERATURES, OperatorKind
from trainer.evaluation.plot_style import GRID, INK, style

# Cold, middle, warm. Soft ranks of warmer scores all draw close to the middle.
TEMPERATURES: dict[OperatorKind, tuple[float, ...]] = {
    operator: tuple(middle * factor for factor in ((0.5, 1, 2) if operator == "soft_rank" else (0.25, 1, 4)))
    for operator, middle in DEFAULT_TEMPERATURES.items()
}
LIST_SIZE, K = 40, 10
LOSSES: dict[str, LossConfig] = {
    "lcron": LossConfig(),
    "lcron, L_e2e alone": LossConfig(Lcron(single_weight=0.0)),
    **{kind: LossConfig(method()) for kind, method in METHODS.items() if kind != "lcron"},
}
ITEMS = {"ground truth": 4, "negative": 14}  # the rank, from 0, that the item would deserve
_COLORS = ("#1e3a8a", "#2563eb", "#93c5fd")  # from cold to warm, or of the ground truth and a negative
_NUM_COLUMNS = 4


class Curve(NamedTuple):
    """What becomes of one item as its score moves.

    Args:
      value: `[num_points]`.
      gradient: `[num_points]`, the derivative of the value by the item's score, as the code reports it.
    """

    value: np.ndarray
    gradient: np.ndarray


@click.command()
@click.option("--smoke", is_flag=True, help="Few points, to see that it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the curves as one JSON object, the last line.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for operators_curves.svg and losses_curves.svg.")
def main(smoke: bool, as_json: bool, out: Path | None) -> None:
    """Move one item through a fixed list; show its survival, the losses, and their gradients by its score."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    scores = np.linspace(-4, 4, 5 if smoke else 101, dtype=np.float32)
    operators: dict[str, dict[str, Curve]] = {}
    losses: dict[str, dict[str, Curve]] = {}
    for operator in TEMPERATURES:
        operators[operator] = curves(operator, scores)
        click.echo(f"{len(operators)}/{len(TEMPERATURES)} {operator}", err=True)
    for name in LOSSES:
        losses[name] = loss_curves(name, scores)
        click.echo(f"{len(losses)}/{len(LOSSES)} {name}", err=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        plot(scores, operators, "survival", out / "operators_curves.svg")
        plot(scores, losses, "loss", out / "losses_curves.svg")
        click.echo(f"wrote {out / 'operators_curves.svg'} and {out / 'losses_curves.svg'}")
    if as_json:
        click.echo(json.dumps({"scores": scores.tolist(), "operators": _plain(operators), "losses": _plain(losses)}))


def _plain(all_curves: dict[str, dict[str, Curve]]) -> dict:
    return {
        name: {
            label: {"value": curve.value.tolist(), "gradient": curve.gradient.tolist()}
            for label, curve in by_label.items()
        }
        for name, by_label in all_curves.items()
    }


def other_scores() -> np.ndarray:
    """Returns the scores of the other items, `[LIST_SIZE - 1]`: quantiles of the standard normal distribution."""
    return _quantiles(LIST_SIZE - 1)


def _quantiles(size: int) -> np.ndarray:
    normal = statistics.NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / size) for i in range(size)], np.float32)


def curves(operator: OperatorKind, scores: np.ndarray) -> dict[str, Curve]:
    """Returns by temperature the item's probability to be among the best `K`.

    Args:
      operator: of `OPERATORS`.
      scores: `[num_points]`, of the item that moves.
    """
    import tensorflow as tf

    from trainer.sorting.operators import OPERATORS

    lists = np.concatenate([scores[:, np.newaxis], np.tile(other_scores(), [len(scores), 1])], axis=1)
    result = {}
    for temperature in TEMPERATURES[operator]:
        with tf.GradientTape() as tape:
            inputs = tf.constant(lists)
            tape.watch(inputs)
            head = OPERATORS[operator](inputs, K, temperature=temperature).head[:, 0]
        result[f"{temperature:g}"] = Curve(head.numpy(), tape.gradient(head, inputs).numpy()[:, 0])
    return result


def loss_curves(name: str, scores: np.ndarray) -> dict[str, Curve]:
    """Returns the loss of a two-stage cascade as retrieval's score of one item moves, by what the item is.

    The other items have the order of their labels in both stages; ranking gives the item the score it deserves.

    Args:
      name: of `LOSSES`.
      scores: `[num_points]`, retrieval's score of the item.
    """
    import tensorflow as tf

    from trainer.config.towers import Din, TwoTower
    from trainer.config.trainer import StageConfig
    from trainer.losses.cascade_loss import CascadeLoss

    stages = (
        StageConfig("retrieval", TwoTower(), 30, list_capacity=30),
        StageConfig("ranking", Din(), 20, list_capacity=20, min_candidate_stage=2),
    )
    loss = CascadeLoss(LOSSES[name], stages)
    rank = np.arange(LIST_SIZE)
    stage = (3 - rank // K)[np.newaxis]  # ten items kept by each logged stage, the ground truth by the last
    batch = {
        "where": tf.ones([1, LIST_SIZE], tf.bool),
        "ground_truth": tf.constant(stage == 3),
        "candidate_stage": tf.constant(stage, tf.int32),
        "labels": tf.constant(np.where(stage == 3, 29.0 - rank, 4.0 + stage), tf.float32),
    }
    ranking = tf.constant(_quantiles(LIST_SIZE)[np.newaxis, ::-1].copy())
    result = {}
    for label, place in ITEMS.items():
        others = np.insert(other_scores()[::-1], place, 0.0)
        values, gradients = [], []
        for score in scores:
            retrieval = tf.constant(np.where(rank == place, score, others)[np.newaxis], tf.float32)
            with tf.GradientTape() as tape:
                tape.watch(retrieval)
                total = loss([retrieval, ranking], batch).total
            values.append(float(total))
            gradients.append(float(tape.gradient(total, retrieval)[0, place]))
        result[label] = Curve(np.array(values), np.array(gradients))
    return result


def plot(scores: np.ndarray, all_curves: dict[str, dict[str, Curve]], quantity: str, path: Path) -> None:
    """Draws a pair of panels per operator or loss, the quantity above its gradient."""
    num_rows = -(-len(all_curves) // _NUM_COLUMNS)
    with matplotlib.rc_context(style("curves", 8)):
        figure = Figure(figsize=(10.8, 2.9 * num_rows))
        # A layout engine differs between runs in the last digit, and with it the ids in the file.
        figure.subplots_adjust(left=0.06, right=0.995, top=0.97, bottom=0.065, wspace=0.3, hspace=0.36)
        panels = figure.subplots(
            2 * num_rows, _NUM_COLUMNS, sharex=True, gridspec_kw={"height_ratios": [3, 2] * num_rows}
        )
        for index, (name, by_label) in enumerate(all_curves.items()):
            row, column = divmod(index, _NUM_COLUMNS)
            above, below = panels[2 * row, column], panels[2 * row + 1, column]
            for (label, curve), color in zip(by_label.items(), _COLORS[:: 4 - len(by_label)], strict=True):
                above.plot(scores, curve.value, color=color, linewidth=1.4, label=label)
                below.plot(scores, curve.gradient, color=color, linewidth=1.2)
            above.set_title(name.replace("_", " ") if quantity == "survival" else name, fontsize=9)
            if quantity == "survival":
                above.set(ylim=(-0.03, 1.03), yticks=(0, 0.5, 1))
            above.legend(frameon=False, fontsize=7, handlelength=1, loc="best")
            if column == 0:
                above.set_ylabel(quantity)
                below.set_ylabel("gradient")
            for axes in (above, below):
                _finish(axes)
        for axes in panels[-2:, len(all_curves) % _NUM_COLUMNS or _NUM_COLUMNS :].flat:
            axes.set_axis_off()
        figure.supxlabel(
            f"score of the item; the dotted line is the score to beat for the best {K} of {LIST_SIZE}", fontsize=8
        )
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    path.write_text(re.sub(r"(\.\d\d)\d+", r"\1", svg.getvalue()), encoding="utf-8")  # a hundredth of a point is enough


def _finish(axes: Axes) -> None:
    axes.axvline(np.sort(other_scores())[-K], color=INK, linewidth=0.8, linestyle=(0, (1, 3)))
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


if __name__ == "__main__":
    main()
