"""Pipeline runs as text tables."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from pipeline.history import ComponentRun, PipelineRun

if TYPE_CHECKING:
    from trainer.evaluation.result import EvaluationResult


def runs_table(runs: Sequence[PipelineRun]) -> str:
    """Returns a table of runs: state, seconds, how many components were cached, and what the gate and the push said."""
    rows = [
        (
            run.run_id,
            run.pipeline,
            run.state,
            f"{run.duration_s:,.1f}",
            f"{sum(component.state == 'cached' for component in run.components)}/{len(run.components)}",
            _blessing(run),
            _first(run.properties, ".version"),
        )
        for run in runs
    ]
    headers = ("run", "pipeline", "state", "seconds", "cached", "blessed", "release")
    return tabulate(rows, headers, tablefmt="simple", disable_numparse=True)


def components_table(components: Sequence[ComponentRun]) -> str:
    """Returns a table of one run's components: state, seconds, figures of their outputs or the error."""
    rows = [
        (
            component.component,
            component.state,
            f"{component.duration_s:,.1f}",
            component.error or ", ".join(f"{name} {_short(value)}" for name, value in component.properties.items()),
        )
        for component in components
    ]
    return tabulate(
        rows,
        ("component", "state", "seconds", "figures"),
        tablefmt="simple",
        disable_numparse=True,
        maxcolwidths=[None, None, None, 90],
    )


def _blessing(run: PipelineRun) -> str:
    blessings = [value for name, value in run.properties.items() if name.endswith(".blessed")]
    return "-" if not blessings else "yes" if all(blessings) else "no"


def _first(properties: dict[str, Any], suffix: str) -> str:
    return next((_short(value) for name, value in properties.items() if name.endswith(suffix)), "-")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def recommendations_table(item_ids: Sequence[str], scores: Sequence[float]) -> str:
    """Returns a table of recommended items, best first."""
    rows = [
        (rank, item_id, f"{score:.4f}")
        for rank, (item_id, score) in enumerate(zip(item_ids, scores, strict=True), start=1)
    ]
    return tabulate(rows, ("rank", "item", "score"), tablefmt="simple", disable_numparse=True)


def metrics_table(result: "EvaluationResult") -> str:
    """Returns a table of end-to-end recall: the release beside popularity, the last release and the possible best."""
    popularity = max(result.popularity.items(), key=lambda item: item[1][f"recall@{result.ks[-1]}"])
    columns = {
        "this release": result.metrics,
        f"popularity ({popularity[0].replace('_', ' ')})": popularity[1],
        "last release": result.baseline or {},
        "possible best": result.oracle,
    }
    columns = {name: metrics for name, metrics in columns.items() if metrics}
    rows = [(f"recall@{k}", *(_metric(metrics, f"recall@{k}") for metrics in columns.values())) for k in result.ks]
    table = tabulate(rows, ("end to end", *columns), tablefmt="simple", disable_numparse=True)
    lost = ", ".join(f"{fate} {share:.1%}" for fate, share in result.shares(result.ks[-1]).items())
    lists = ", ".join(
        f"{name.removeprefix('list/')} {value:.4f}"
        for name, value in result.metrics.items()
        if name.startswith("list/")
    )
    return f"{table}\nfate of the ground truth at {result.ks[-1]}: {lost}\ninside logged lists: {lists}"


def _metric(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.4f}" if name in metrics else "-"


def oracle_table(best_recall: Mapping[str, Mapping[str, float]]) -> str:
    """Returns a table of the best possible recall of each ground truth, by cut."""
    cuts = sorted(next(iter(best_recall.values())), key=int)
    rows = [(name, *(f"{recall[cut]:.4f}" for cut in cuts)) for name, recall in best_recall.items()]
    headers = ("best possible", *(f"recall@{cut}" for cut in cuts))
    return tabulate(rows, headers, tablefmt="simple", disable_numparse=True)
