"""How every sorting operator sees one item of a list, as a picture: `python -m benchmarks.curves --out docs`."""

import io
import json
import os
import re
import statistics
from pathlib import Path

import click
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.sorting.operator_kind import OperatorKind

# Cold, middle, warm. NeuralSort's middle is the paper's; that of the others is as wide, as far as the operator can be.
TEMPERATURES: dict[OperatorKind, tuple[float, float, float]] = {
    "neural_sort": (12.5, 50.0, 200.0),
    "soft_sort": (0.4, 1.6, 6.4),
    "odd_even_network": (0.025, 0.1, 0.4),
    "bitonic_network": (0.025, 0.1, 0.4),
    "sinkhorn": (0.8, 3.2, 12.8),
    "fermi_dirac": (0.4, 1.6, 6.4),
    "lap_sum": (0.5, 2.0, 8.0),
    "sparse_top_k": (2.0, 8.0, 32.0),
    "threshold_sigmoid": (0.4, 1.6, 6.4),
    "soft_rank": (0.05, 0.1, 0.2),
    "perturbed_top_k": (0.6, 2.4, 9.6),
}
LIST_SIZE, K = 40, 10
_COLORS = ("#1e3a8a", "#2563eb", "#93c5fd")  # cold to warm
_INK, _GRID = "#334155", "#e2e8f0"
_STYLE = {
    "font.size": 8,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "svg.hashsalt": "curves",
}
_NUM_COLUMNS = 4


@click.command()
@click.option("--smoke", is_flag=True, help="Few points, to see that it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the curves as one JSON object, the last line.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for operators_curves.svg.")
def main(smoke: bool, as_json: bool, out: Path | None) -> None:
    """Move one item through a fixed list; show its survival and the gradient of that by its score."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    scores = np.linspace(-4, 4, 9 if smoke else 101, dtype=np.float32)
    all_curves = {}
    for operator in TEMPERATURES:
        all_curves[operator] = curves(operator, scores)
        click.echo(f"{len(all_curves)}/{len(TEMPERATURES)} {operator}", err=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        plot(scores, all_curves, out / "operators_curves.svg")
        click.echo(f"wrote {out / 'operators_curves.svg'}")
    if as_json:
        figures = {
            operator: {
                str(temperature): {"head": head.tolist(), "gradient": gradient.tolist()}
                for temperature, (head, gradient) in by_temperature.items()
            }
            for operator, by_temperature in all_curves.items()
        }
        click.echo(json.dumps({"scores": scores.tolist(), "operators": figures}))


def other_scores() -> np.ndarray:
    """Returns the scores of the other items, `[LIST_SIZE - 1]`: quantiles of the standard normal distribution."""
    normal = statistics.NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / (LIST_SIZE - 1)) for i in range(LIST_SIZE - 1)], np.float32)


def curves(operator: OperatorKind, scores: np.ndarray) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """Returns by temperature the item's probability to be among the best `K`, and its derivative by its own score.

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
        result[temperature] = head.numpy(), tape.gradient(head, inputs).numpy()[:, 0]
    return result


def plot(scores: np.ndarray, all_curves: dict[OperatorKind, dict], path: Path) -> None:
    """Draws a pair of panels per operator, the survival above its gradient."""
    num_rows = -(-len(all_curves) // _NUM_COLUMNS)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10.8, 2.9 * num_rows))
        # A layout engine differs between runs in the last digit, and with it the ids in the file.
        figure.subplots_adjust(left=0.05, right=0.995, top=0.97, bottom=0.065, wspace=0.16, hspace=0.36)
        panels = figure.subplots(
            2 * num_rows, _NUM_COLUMNS, sharex=True, gridspec_kw={"height_ratios": [3, 2] * num_rows}
        )
        for index, (operator, by_temperature) in enumerate(all_curves.items()):
            row, column = divmod(index, _NUM_COLUMNS)
            above, below = panels[2 * row, column], panels[2 * row + 1, column]
            for (temperature, (head, gradient)), color in zip(by_temperature.items(), _COLORS, strict=True):
                above.plot(scores, head, color=color, linewidth=1.4, label=f"{temperature:g}")
                below.plot(scores, gradient, color=color, linewidth=1.2)
            above.set_title(operator.replace("_", " "), fontsize=9)
            above.set(ylim=(-0.03, 1.03), yticks=(0, 0.5, 1))
            above.legend(frameon=False, fontsize=7, handlelength=1, loc="upper left")
            if column == 0:
                above.set_ylabel("survival")
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
    axes.axvline(np.sort(other_scores())[-K], color=_INK, linewidth=0.8, linestyle=(0, (1, 3)))
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


if __name__ == "__main__":
    main()
