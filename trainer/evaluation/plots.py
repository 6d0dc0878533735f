"""The plots of the evaluation report, as SVG to put into a page."""

import io
import re

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from trainer.evaluation.funnel import DELIVERED, EXCLUDED, NOT_IN_CATALOGUE
from trainer.evaluation.plot_style import GRID, INK, style
from trainer.evaluation.result import BASELINE, CANDIDATE, EvaluationResult
from trainer.evaluation.slices import SliceMetrics

_CANDIDATE, _BASELINE, _POPULARITY, _ORACLE = "#2563eb", "#64748b", "#d97706", "#15803d"
_FATES = {EXCLUDED: "#cbd5e1", NOT_IN_CATALOGUE: "#94a3b8", DELIVERED: "#16a34a"}
_LOSSES = ("#dc2626", "#f97316", "#facc15", "#a855f7", "#ec4899")
_STYLE = style("evaluation", 10)


def recall_plot(result: EvaluationResult) -> str:
    """Returns recall@k of the candidate, the baseline, popularity and the possible best."""
    figure, axes = _figure(10.8, 4.2)
    lines = [(CANDIDATE, "candidate", _CANDIDATE, "-", 2.6), (BASELINE, "baseline release", _BASELINE, "-", 1.8)]
    lines += [
        ("popularity_ground_truth_without_excluded", "popularity", _POPULARITY, "-", 1.8),
        ("popularity_exposures_without_excluded", "popularity of exposures", _POPULARITY, ":", 1.8),
    ]
    for name, label, color, dashes, width in lines:
        if name in result.curves:
            axes.plot(result.curve_ks, result.curves[name], dashes, color=color, linewidth=width, label=label)
    for k in result.ks:
        low, high = result.intervals[f"recall@{k}"]
        recall = result.metrics[f"recall@{k}"]
        axes.errorbar(
            k, recall, [[max(0, recall - low)], [max(0, high - recall)]], fmt="o", color=_CANDIDATE, capsize=3
        )
    if result.oracle:
        ks = [int(name.removeprefix("recall@")) for name in result.oracle]
        axes.plot(ks, list(result.oracle.values()), "D--", color=_ORACLE, markersize=5, label="possible best")
    axes.axhline(result.metrics["deliverable"], color=INK, linewidth=1, linestyle=(0, (1, 3)), label="deliverable")
    axes.set(xlabel="k, items delivered", ylabel="end-to-end recall@k", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(color=GRID, linewidth=0.8)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return _svg(figure, "Recall at k")


def attribution_plot(result: EvaluationResult) -> str:
    """Returns one bar per release and k: the fates of the ground truth, as shares."""
    bars = [(release, k) for k in result.ks for release in result.attribution]
    figure, axes = _figure(10.8, 0.9 + 0.42 * len(bars))
    losses = [fate for fate in result.shares(result.ks[0]) if fate not in _FATES]
    colors = _FATES | {fate: _LOSSES[index % len(_LOSSES)] for index, fate in enumerate(losses)}
    order = [DELIVERED, *reversed(losses), NOT_IN_CATALOGUE, EXCLUDED]
    for row, (release, k) in enumerate(bars):
        shares, left = result.shares(k, release), 0.0
        for fate in [fate for fate in order if fate in shares]:
            axes.barh(row, shares[fate], left=left, color=colors[fate], height=0.72, edgecolor="white", linewidth=1)
            if shares[fate] >= 0.05:
                light = colors[fate] in ("#cbd5e1", "#facc15", "#94a3b8")
                axes.text(
                    left + shares[fate] / 2,
                    row,
                    f"{shares[fate]:.1%}",
                    ha="center",
                    va="center_baseline",
                    fontsize=9,
                    color=INK if light else "white",
                )
            left += shares[fate]
    for fate in order:
        axes.barh(0, 0, color=colors[fate], label=words(fate))
    axes.set(xlim=(0, 1), yticks=range(len(bars)), yticklabels=[f"{release} @ {k}" for release, k in bars])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.tick_params(length=0)
    axes.legend(frameon=False, fontsize=9, ncols=len(order), loc="lower center", bbox_to_anchor=(0.45, 1.0))
    return _svg(figure, "Where the ground truth goes")


def slice_plot(slices: list[SliceMetrics]) -> str:
    """Returns the recall of the slices of one dimension with their confidence intervals."""
    figure, axes = _figure(5.2, 0.7 + 0.36 * len(slices))
    for row, part in enumerate(slices):
        axes.barh(row, part.recall, color=_CANDIDATE, alpha=0.85, height=0.66)
        error = [[max(0, part.recall - part.recall_low)], [max(0, part.recall_high - part.recall)]]
        axes.errorbar(part.recall, row, xerr=error, color=INK, capsize=2.5, linewidth=1)
        label = f"{part.recall:.1%} of {part.num_ground_truth:,}"
        axes.annotate(label, (part.recall_high, row), (6, 0), textcoords="offset points", va="center", fontsize=8.5)
    axes.set(yticks=range(len(slices)), yticklabels=[part.value for part in slices], xlim=(0, None))
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.tick_params(length=0)
    return _svg(figure, f"Recall by {words(slices[0].dimension)}")


def words(name: str) -> str:
    """Returns a key such as `lost_in_ranking` as words."""
    return name.replace("_", " ")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _svg(figure: Figure, title: str) -> str:
    """The figure as an `svg` element that scales with the page; its ids carry the title, as a page has several."""
    buffer = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    prefix = re.sub(r"\W+", "_", title)
    svg = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{prefix}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
