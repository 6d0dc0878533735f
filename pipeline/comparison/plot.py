"""The picture of a comparison."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from pipeline.comparison.compare import Comparison
from pipeline.comparison.methods import METHODS, REFERENCE
from pipeline.comparison.report import by_method
from trainer.evaluation.plot_style import GRID, style

_REFERENCE_COLOR, _OTHER_COLOR = "#2563eb", "#64748b"


def plot(comparison: Comparison, headline: str, path: Path) -> None:
    """Draws the headline metric of every method: a dot per seed and a bar for the mean.

    Args:
      comparison: what came of the runs.
      headline: name of the metric.
      path: an `.svg` or `.png` file to write.
    """
    outcomes = by_method(comparison)
    with matplotlib.rc_context(style("benchmark", 10)):
        figure = Figure(figsize=(7.6, 1.0 + 0.34 * len(outcomes)), layout="constrained")
        axes = figure.subplots()
        for row, (method, seeds) in enumerate(outcomes.items()):
            values = [outcome.metrics[headline] for outcome in seeds.values()]
            color = _REFERENCE_COLOR if method == REFERENCE else _OTHER_COLOR
            axes.plot(values, [row] * len(values), "o", color=color, alpha=0.4, markersize=5)
            axes.plot(np.mean(values), row, "|", color=color, markersize=16, markeredgewidth=3)
            if method == REFERENCE:
                axes.axvline(float(np.mean(values)), color=color, linewidth=1, linestyle=(0, (1, 3)))
        axes.set_yticks(range(len(outcomes)), [METHODS[method].title for method in outcomes])
        axes.invert_yaxis()
        axes.set(xlabel=headline)
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        figure.savefig(path, facecolor="white", metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)
