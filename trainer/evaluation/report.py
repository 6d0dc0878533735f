"""The evaluation report: one HTML page without external parts."""

import itertools

import jinja2
from markupsafe import Markup

from trainer.evaluation.plots import attribution_plot, recall_plot, slice_plot, words
from trainer.evaluation.report_template import TEMPLATE
from trainer.evaluation.result import EvaluationResult


def render_report(result: EvaluationResult) -> str:
    """Renders an evaluation.

    Args:
      result: of `evaluate`.

    Returns:
      The HTML page.
    """
    top = f"recall@{result.ks[-1]}"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {
        "words": words,
        "percent": lambda value: f"{value:.1%}",
        "number": "{:,}".format,
        "four": "{:.4f}".format,
    }
    shown = [part for part in result.slices if part.k == result.ks[-1]]
    dimensions = [list(group) for _, group in itertools.groupby(shown, key=lambda part: part.dimension)]
    popularity_name = max(result.popularity, key=lambda name: result.popularity[name][top])
    return environment.from_string(TEMPLATE).render(
        result=result,
        top=top,
        rows=_rows(result),
        popularity_name=popularity_name,
        popularity=result.popularity[popularity_name],
        recall_svg=Markup(recall_plot(result)),
        attribution_svg=Markup(attribution_plot(result)),
        slices=[(parts, Markup(slice_plot(parts))) for parts in dimensions],
    )


def _rows(result: EvaluationResult) -> list[dict[str, str]]:
    """The table of metrics, one row per metric of the candidate."""
    best = {name: max(each[name] for each in result.popularity.values()) for name in result.popularity["ground_truth"]}
    rows = []
    for name, value in result.metrics.items():
        before = (result.baseline or {}).get(name)
        interval = result.intervals.get(name)
        rows.append(
            {
                "name": name,
                "value": f"{value:.4f}",
                "interval": f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else "",
                "baseline": "" if before is None else f"{before:.4f}",
                "change": f"{value / before - 1:+.1%}" if before else "",
                "popularity": f"{best[name]:.4f}" if name in best else "",
                "oracle": f"{result.oracle[name]:.4f}" if name in result.oracle else "",
            }
        )
    return rows
