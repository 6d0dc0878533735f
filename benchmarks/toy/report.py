"""The tables, the plot and the figures of `benchmarks.toy`."""

import dataclasses
import re
from pathlib import Path

import matplotlib
import numpy as np
import tabulate
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.toy.methods import METHODS, REFERENCE, SETTINGS
from benchmarks.toy.study import Budget, Outcome
from pipeline.comparison.significance import Lead, lead
from trainer.evaluation.plot_style import GRID, style

Outcomes = dict[str, dict[str, Outcome]]  # by setting, then by method

_BEGIN, _END = "<!-- results: written by benchmarks/toy/ -->", "<!-- end of results -->"
_REFERENCE_COLOR, _VARIANT_COLOR, _BASELINE_COLOR = "#2563eb", "#7c3aed", "#64748b"
_WORST_SHOWN = -5.0  # points of recall; a collapse far below would hide the rest


def results(outcomes: Outcomes, budget: Budget, origin: dict[str, str]) -> str:
    """Returns the results as Markdown: where they come from, and a table and the claims per setting."""
    parts = [
        "\n".join(f"- {name}: {value}" for name, value in origin.items()),
        f"Per method and setting: {budget.num_seeds} worlds (seeds), {budget.num_requests} requests to train on and as "
        f"many held out, {budget.num_steps} steps of {budget.batch_size}; its own settings chosen on "
        f"{budget.num_validation_seeds} other worlds.",
    ]
    for setting, by_method in outcomes.items():
        parts += [f"### {SETTINGS[setting].title}", _table(by_method), _claims(by_method)]
    return "\n\n".join(parts) + "\n"


def figures(outcomes: Outcomes, budget: Budget, origin: dict[str, str]) -> dict[str, object]:
    """Returns the figures as plain values."""
    return {
        **origin,
        "budget": dataclasses.asdict(budget),
        "settings": {
            setting: {method: _figures(by_method[REFERENCE], outcome) for method, outcome in by_method.items()}
            for setting, by_method in outcomes.items()
        },
    }


def write_page(path: Path, text: str) -> None:
    """Writes the results into their place on a page, or a page of their own where there is none."""
    page = path.read_text(encoding="utf-8") if path.exists() else f"# Toy study\n\n{_BEGIN}\n{_END}\n"
    place = re.compile(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", re.DOTALL)
    if not place.search(page):
        raise ValueError(f"{path} has no place for the results. Expected: the lines {_BEGIN!r} and {_END!r}")
    path.write_text(place.sub(lambda _: f"{_BEGIN}\n\n{text}\n{_END}", page), encoding="utf-8")


def plot(outcomes: Outcomes, path: Path) -> None:
    """Draws every method's recall less LCRON's, a dot per world and a bar for the mean, one panel per setting."""
    methods = list(next(iter(outcomes.values())))
    with matplotlib.rc_context(style("toy", 10)):
        figure = Figure(figsize=(3.0 + 2.9 * len(outcomes), 1.2 + 0.3 * len(methods)), layout="constrained")
        panels = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)[0]
        for axes, (setting, by_method) in zip(panels, outcomes.items(), strict=True):
            for row, (method, outcome) in enumerate(by_method.items()):
                _draw(axes, row, 100 * (_recalls(outcome) - _recalls(by_method[REFERENCE])), _color(method))
            axes.axvline(0, color=_REFERENCE_COLOR, linewidth=1, linestyle=(0, (1, 3)))
            axes.set_title(SETTINGS[setting].title.replace(", ", "\n"), fontsize=10)
            axes.set(xlabel="points of recall above LCRON", xlim=(_WORST_SHOWN - 0.3, None))
            axes.grid(axis="x", color=GRID, linewidth=0.8)
            axes.set_axisbelow(True)
            axes.tick_params(length=0)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        panels[0].set_yticks(range(len(methods)), [METHODS[method].title for method in methods])
        panels[0].invert_yaxis()
        figure.savefig(path, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})


def _draw(axes: Axes, row: int, points: np.ndarray, color: str) -> None:
    """Worlds beyond the left edge are drawn on it, as arrows; so is the mean."""
    for shown, marker in ((points >= _WORST_SHOWN, "o"), (points < _WORST_SHOWN, "<")):
        axes.plot(np.maximum(points[shown], _WORST_SHOWN), [row] * shown.sum(), marker, color=color, alpha=0.35, ms=4)
    axes.plot(max(points.mean(), _WORST_SHOWN), row, "|", color=color, markersize=14, markeredgewidth=3)


def _color(method: str) -> str:
    if METHODS[method].baseline:
        return _BASELINE_COLOR
    return _REFERENCE_COLOR if method == REFERENCE else _VARIANT_COLOR


def _recalls(outcome: Outcome) -> np.ndarray:
    return np.array([measures.recall for measures in outcome.measures])


def _lead(reference: Outcome, other: Outcome) -> Lead:
    """LCRON's lead in recall over a method in the same worlds."""
    return lead(_recalls(reference), _recalls(other))


def _table(by_method: dict[str, Outcome]) -> str:
    rows = []
    for method, outcome in by_method.items():
        other = _lead(by_method[REFERENCE], outcome)
        mean = {name: np.mean(values) for name, values in _values(outcome).items()}
        rows.append(
            [
                METHODS[method].title,
                f"{mean['recall']:.4f} ± {np.std(_values(outcome)['recall'], ddof=1):.4f}",
                "" if method == REFERENCE else f"{other.mean:+.4f} ± {other.margin:.4f}",
                *(f"{mean[name]:.4f}" for name in ("retrieval_recall", "ranking_recall", "bound")),
                f"{mean['blind_share']:.0%}",
                ", ".join(filter(None, [outcome.chosen, f"{outcome.learning_rate:g}"])),
            ]
        )
    headers = ["method", "end-to-end recall", "LCRON's lead", "retrieval", "ranking", "bound", "blind share", "chosen"]
    return tabulate.tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _claims(by_method: dict[str, Outcome]) -> str:
    gaps = {
        method: _lead(by_method[REFERENCE], outcome) for method, outcome in by_method.items() if method != REFERENCE
    }
    claims = {f"LCRON is above {METHODS[name].title}": g for name, g in gaps.items() if METHODS[name].baseline}
    for name, term in {"lcron_without_e2e": "L_e2e", "lcron_without_single": "L_single"}.items():
        if name in gaps:
            claims[f"removing {term} costs recall"] = gaps[name]
    verdicts = {1: "holds", 0: "not shown", -1: "does not hold"}
    return "\n".join(
        f"- {claim}: **{verdicts[g.sign]}** ({g.mean:+.4f} ± {g.margin:.4f})" for claim, g in claims.items()
    )


def _values(outcome: Outcome) -> dict[str, list[float]]:
    names = [field.name for field in dataclasses.fields(outcome.measures[0])]
    return {name: [getattr(measures, name) for measures in outcome.measures] for name in names}


def _figures(reference: Outcome, outcome: Outcome) -> dict[str, object]:
    ahead = _lead(reference, outcome)
    values = _values(outcome)
    return {
        "mean": {name: float(np.mean(numbers)) for name, numbers in values.items()},
        "std": {name: float(np.std(numbers, ddof=1)) for name, numbers in values.items()},
        "lead_of_lcron": {"mean": ahead.mean, "margin": ahead.margin},
        "chosen": outcome.chosen,
        "learning_rate": outcome.learning_rate,
        "by_seed": values,
    }
