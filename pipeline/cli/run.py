"""`lcron run`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import ReleaseBase, experiment_options, load_experiment, one_line_errors, quiet_libraries
from serving.release.files import any_path
from serving.signatures import CASCADE

if TYPE_CHECKING:
    from trainer.tuning.config import TuningConfig


@click.command(
    epilog="""\b
Examples:
  lcron run --config demo --data runs/demo/data --root runs/demo
  lcron run --config kuairand --data KuaiRand-Pure/data --set trainer.epochs=3
  lcron run --config demo --data runs/demo/data --root runs/demo --from CascadeTrainer
  lcron run --config demo --data runs/demo/data --root runs/demo --tune --set tuning.num_trials=12
"""
)
@experiment_options
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of artifacts, metadata and logs.  [default: runs/CONFIG]",
)
@click.option(
    "--serving-base",
    type=ReleaseBase(exists=False),
    help="Folder that releases are pushed to, or a path such as gs://bucket/serving.  [default: ROOT/serving]",
)
@click.option("--tune", is_flag=True, help="Tune the experiment's hyper-parameters first; train with the best.")
@click.option("--no-cache", is_flag=True, help="Execute every component, whatever ran before.")
@click.option("--from", "from_component", metavar="COMPONENT", help="Execute this component and all downstream of it.")
@click.option(
    "--profile",
    is_flag=True,
    help="Train (again) and trace a few steps for TensorBoard's profiler.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the run's figures as one JSON object on the last line.")
def run(
    config_name: str,
    smoke: bool,
    data: Path,
    overrides: tuple[str, ...],
    root: Path | None,
    serving_base: str | None,
    tune: bool,
    no_cache: bool,
    from_component: str | None,
    profile: bool,
    as_json: bool,
) -> None:
    """Runs the pipeline: logs to a blessed release in the serving folder.

    Components that ran before on the same data, settings and code are taken from the cache; a run that was killed
    goes on where it stopped.
    """
    experiment = load_experiment(config_name, smoke, overrides)
    if tune:
        if experiment.tuning is None:
            raise click.UsageError(f"--tune needs `tuning` in the experiment, and {config_name!r} has none")
        for key in set_and_tuned(experiment.tuning, overrides):
            click.echo(f"warning: {key} is tuned, so --tune replaces what --set says", err=True)
    quiet_libraries()
    root = (root or Path("runs") / experiment.name).resolve()
    pushed_to = any_path(serving_base or root / "serving")
    if isinstance(pushed_to, Path):
        pushed_to = pushed_to.resolve()

    from pipeline.cli.report import run_figures, run_report
    from pipeline.pipeline import create_pipeline
    from pipeline.runners.errors import PipelineError
    from pipeline.runners.local import run_local

    with one_line_errors(PipelineError):
        pipeline = create_pipeline(
            experiment,
            data_dir=data.resolve(),
            root=root,
            serving_base=str(pushed_to),
            tune=tune,
            profile=profile,
        )
        names = [component.id for component in pipeline.components]
        if from_component is not None and from_component not in names:
            raise click.UsageError(f"--from must be one of {', '.join(names)}. Received: {from_component!r}")
        result = run_local(
            pipeline,
            log_dir=root / "logs",
            use_cache=not no_cache,
            from_component=from_component,
            report=click.echo,
        )
    models = (*(stage.name for stage in experiment.trainer.stages), CASCADE)
    click.echo(run_report(result, serving_base=pushed_to, models=models))
    if as_json:
        click.echo(json.dumps(run_figures(result)))


def set_and_tuned(tuning: "TuningConfig", overrides: tuple[str, ...]) -> list[str]:
    """Returns the keys of `--set` options whose values a search will replace."""
    tuned = {f"trainer.{part.key}" for part in tuning.search_space}
    return [key for key in (override.partition("=")[0] for override in overrides) if key in tuned]
