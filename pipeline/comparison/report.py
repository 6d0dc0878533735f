"""The tables of a comparison."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from tabulate import tabulate

from pipeline.comparison.compare import Comparison
from pipeline.comparison.config import BenchmarkConfig
from pipeline.comparison.methods import METHODS, REFERENCE
from pipeline.comparison.outcome import Outcome
from pipeline.comparison.paper import TABLES
from pipeline.comparison.significance import Lead, holm, lead

_VERDICTS = {1: "holds", 0: "not shown", -1: "does not hold"}


def by_method(comparison: Comparison) -> dict[str, dict[int, Outcome]]:
    """Returns the outcomes by method and seed."""
    found: dict[str, dict[int, Outcome]] = {}
    for outcome in comparison.outcomes:
        found.setdefault(outcome.method, {})[outcome.seed] = outcome
    return found


def leads(outcomes: Mapping[str, Mapping[int, Outcome]], metric: str) -> dict[str, Lead]:
    """Returns the lead of the reference over every other method, over the seeds that both have."""
    if REFERENCE not in outcomes:
        return {}
    found = {}
    for method, others in outcomes.items():
        seeds = [seed for seed in others if seed in outcomes[REFERENCE]]
        if method != REFERENCE and seeds:
            ours, theirs = ([each[seed].metrics[metric] for seed in seeds] for each in (outcomes[REFERENCE], others))
            found[method] = lead(ours, theirs)
    return found


def results(comparison: Comparison, config: BenchmarkConfig, origin: Mapping[str, str]) -> str:
    """Returns the results as Markdown.

    Args:
      comparison: what came of the runs.
      config: of the comparison.
      origin: where the figures come from, in words.

    Returns:
      The origin, a table of the headline with the lead of LCRON and the paper's numbers, a table of all metrics and
      what can be concluded.
    """
    outcomes = by_method(comparison)
    parts = ["\n".join(f"- {name}: {value}" for name, value in origin.items())]
    parts += [_headline(outcomes, config), _days(outcomes, config.headline), _metrics(outcomes)]
    parts.append(_claims(outcomes, config))
    if comparison.failures:
        lines = [f"- {METHODS[f.method].title}, seed {f.seed}: {f.message}" for f in comparison.failures]
        parts.append("Runs that failed:\n\n" + "\n".join(lines))
    return "\n\n".join(part for part in parts if part) + "\n"


def figures(comparison: Comparison, config: BenchmarkConfig, origin: Mapping[str, str]) -> dict[str, object]:
    """Returns the results as plain values."""
    outcomes = by_method(comparison)
    ahead = leads(outcomes, config.headline)
    return {
        **origin,
        "headline": config.headline,
        "methods": {
            method: {
                "mean": {name: float(np.mean(values)) for name, values in _values(seeds).items()},
                "std": {name: _std(values) for name, values in _values(seeds).items()},
                "by_seed": {str(seed): outcome.metrics for seed, outcome in seeds.items()},
                "training_s": [outcome.training_s for outcome in seeds.values()],
            }
            for method, seeds in outcomes.items()
        },
        "lead_of_lcron": {
            method: {"mean": each.mean, "margin": _or_none(each.margin), "p_value": _or_none(each.p_value)}
            for method, each in ahead.items()
        },
        "failures": [f"{failure.method} {failure.seed}: {failure.message}" for failure in comparison.failures],
    }


def _headline(outcomes: Mapping[str, Mapping[int, Outcome]], config: BenchmarkConfig) -> str:
    ahead = leads(outcomes, config.headline)
    corrected = holm({method: each.p_value for method, each in ahead.items()})
    paper = TABLES[config.paper] if config.paper is not None else {}
    rows = []
    for method, seeds in outcomes.items():
        values = [outcome.metrics[config.headline] for outcome in seeds.values()]
        row = [METHODS[method].title, _mean_and_std(values)]
        row += [_lead_text(ahead[method]), _p_text(corrected[method])] if method in ahead else ["", ""]
        row.append(f"{np.mean([outcome.training_s for outcome in seeds.values()]):,.0f}")
        if paper:
            row.append(str(paper[method]) if method in paper else "")
        rows.append(row)
    headers = ["method", config.headline, "LCRON's lead", "p (Holm)", "training s"]
    headers += ["the paper's joint recall (RecFlow's real logs)"] if paper else []
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def _metrics(outcomes: Mapping[str, Mapping[int, Outcome]]) -> str:
    values = {method: _values(seeds) for method, seeds in outcomes.items()}
    names = list(next(iter(values.values())))
    rows = [
        [METHODS[method].title, *(f"{np.mean(of_method[name]):.4f}" for name in names)]
        for method, of_method in values.items()
    ]
    return tabulate(rows, ["mean", *names], tablefmt="github", disable_numparse=True)


def _days(outcomes: Mapping[str, Mapping[int, Outcome]], metric: str) -> str:
    """The headline by day, of a streaming comparison."""
    first = next(iter(next(iter(outcomes.values())).values()))
    rows = [
        [day, *(_mean_and_std([o.days[day][metric] for o in seeds.values()]) for seeds in outcomes.values())]
        for day in first.days
    ]
    if not rows:
        return ""
    return tabulate(
        rows, ["day", *(METHODS[method].title for method in outcomes)], tablefmt="github", disable_numparse=True
    )


def _claims(outcomes: Mapping[str, Mapping[int, Outcome]], config: BenchmarkConfig) -> str:
    lines = [
        f"- LCRON is above {METHODS[method].title}: **{_VERDICTS[each.sign]}** ({_lead_text(each)})"
        for method, each in leads(outcomes, config.headline).items()
    ]
    return "\n".join(lines)


def _values(seeds: Mapping[int, Outcome]) -> dict[str, list[float]]:
    names = next(iter(seeds.values())).metrics
    return {name: [outcome.metrics[name] for outcome in seeds.values()] for name in names}


def _mean_and_std(values: Sequence[float]) -> str:
    std = _std(values)
    return f"{np.mean(values):.4f}" + ("" if std is None else f" ± {std:.4f}")


def _std(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _lead_text(ahead: Lead) -> str:
    return f"{ahead.mean:+.4f}" + ("" if math.isnan(ahead.margin) else f" ± {ahead.margin:.4f}")


def _p_text(p_value: float) -> str:
    return "" if math.isnan(p_value) else "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
