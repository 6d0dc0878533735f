"""What `lcron run` says when it is done."""

import os
from pathlib import Path
from typing import Any

from pipeline.cli.tables import components_table, metrics_table
from pipeline.history import PipelineRun
from serving.release.store import ReleaseStore
from trainer.evaluation.evaluate import HTML_NAME, JSON_NAME
from trainer.evaluation.result import EvaluationResult


def run_report(run: PipelineRun, *, serving_base: str | os.PathLike[str], models: tuple[str, ...]) -> str:
    """Returns the run's table, its metrics beside popularity and the possible best, and where the release lies.

    Args:
      run: a complete run.
      serving_base: folder that releases are pushed to.
      models: models of the release, one folder each.
    """
    evaluation = _evaluation_dir(run)
    version = _version(run)
    store = ReleaseStore(serving_base)
    newest = store.latest()
    if newest is not None and newest.version == version:
        release = [f"release {version}:", *(f"  {store.model_path(model, version)}" for model in models)]
    else:
        release = [
            f"an earlier run pushed this as release {version}, but the newest release in {store.base} is "
            f"{newest.version if newest else 'none'}; run with --from CascadeEvaluator to push it again"
        ]
    return "\n".join(
        [
            "",
            components_table(run.components),
            "",
            metrics_table(_evaluation(run)),
            "",
            f"report: {evaluation / HTML_NAME}",
            *release,
        ]
    )


def run_figures(run: PipelineRun) -> dict[str, Any]:
    """Returns the figures of a complete run as a JSON object."""
    return {
        "run_id": run.run_id,
        "version": _version(run),
        "duration_s": run.duration_s,
        "components": {
            component.component: {"state": component.state, "duration_s": component.duration_s}
            for component in run.components
        },
        "metrics": _evaluation(run).metrics,
    }


def _evaluation(run: PipelineRun) -> EvaluationResult:
    return EvaluationResult.from_json((_evaluation_dir(run) / JSON_NAME).read_text())


def _evaluation_dir(run: PipelineRun) -> Path:
    return Path(_component_outputs(run, "CascadeEvaluator")["evaluation"])


def _version(run: PipelineRun) -> int:
    return int(run.properties["CascadePusher.version"])


def _component_outputs(run: PipelineRun, name: str) -> dict[str, str]:
    return next(component.outputs for component in run.components if component.component == name)
