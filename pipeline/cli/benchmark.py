"""`lcron benchmark`."""

import json
import os
from pathlib import Path

import click

from pipeline.cli.options import experiment_options, load_experiment, one_line_errors, quiet_libraries


@click.command(
    epilog="""\b
Examples:
  lcron benchmark --config recflow_two_stage --data RecFlow --methods all --seeds 5
  lcron benchmark --config recflow_three_stage --data RecFlow --methods bce,arf_v2,lcron --seeds 3
  lcron benchmark --config recflow_two_stage --data RecFlow --methods ablations,operators --out runs/ablations
  lcron benchmark --config recflow_two_stage --data RecFlow --methods all --streaming --out runs/streaming
"""
)
@experiment_options
@click.option(
    "--methods",
    default="all",
    show_default=True,
    help="Comma-separated methods, or groups of them: all (of the paper), ablations, weights, temperatures, operators.",
)
@click.option("--seeds", "num_seeds", type=click.IntRange(1), default=5, show_default=True, help="Runs per method.")
@click.option(
    "--streaming",
    is_flag=True,
    help="One pass over the days, each judged by the model of the days before it, instead of one test split.",
)
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time.  [default: one per core, at most 2]")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of artifacts, metadata and logs, as of `lcron run`.  [default: runs/CONFIG]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the outcomes, which a later call goes on from, and of the tables.  [default: ROOT/benchmark]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object on the last line.")
def benchmark(
    config_name: str,
    smoke: bool,
    data: Path,
    overrides: tuple[str, ...],
    methods: str,
    num_seeds: int,
    streaming: bool,
    jobs: int | None,
    root: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Trains every method on the same towers, data, order and budget, and compares what leaves the last stage.

    The runs differ by seed alone (weights, order and draws); a seed is the same for all methods. Runs that are done are
    not run again: a comparison that was stopped goes on, and methods and seeds can be added. Writes results.md,
    results.json and a picture.
    """
    quiet_libraries()

    from pipeline.comparison.methods import choose_methods

    with one_line_errors():
        chosen = choose_methods(methods)
        experiment = load_experiment(config_name, smoke, overrides, for_benchmark=True)
    root = (root or Path("runs") / experiment.name).resolve()
    out = (out or root / "benchmark").resolve()

    from components.example_gen.adapters import load_adapter
    from components.example_gen.fingerprint import fingerprint
    from pipeline.comparison.compare import run_comparison
    from pipeline.comparison.plot import plot
    from pipeline.comparison.prepare_data import prepare_data
    from pipeline.comparison.provenance import provenance
    from pipeline.comparison.report import figures, results
    from pipeline.comparison.setup import Setup
    from pipeline.runners.errors import PipelineError
    from pipeline.source_hash import source_hash

    with one_line_errors(PipelineError):
        prepared = prepare_data(experiment, data_dir=data.resolve(), root=root, report=click.echo)
        adapter = load_adapter(experiment.adapter.declare(data.resolve()))
        splits = experiment.splits.resolve(adapter.days())
        files = adapter.files(sorted({day for days in splits.values() for day in days}))
        code = source_hash("pipeline.comparison.trial")
        setup = Setup(experiment, prepared, fingerprint(files), code, out, streaming)
        seeds = [experiment.trainer.seed + index for index in range(num_seeds)]
        click.echo(
            f"{len(chosen)} methods x {num_seeds} seeds on {prepared.num_train_requests:,} training requests, "
            f"judged by {prepared.num_test_requests:,}; outcomes in {out}"
        )
        jobs = jobs or min(2, os.cpu_count() or 1)
        comparison = run_comparison(setup, chosen, seeds, jobs=jobs, report=click.echo)
    if not comparison.outcomes:
        raise click.ClickException(f"no run came to an end: {comparison.failures[0].message}")
    origin = provenance("lcron", f"{seeds[0]} to {seeds[-1]}")
    origin["data"] = (
        f"{config_name}: {prepared.num_train_requests:,} training requests of {splits['train'][0]} to "
        f"{splits['train'][-1]}, {prepared.num_test_requests:,} test requests"
    )
    origin["protocol"] = ", ".join(f"{key}={value}" for key, value in experiment.benchmark.overrides.items()) or "as is"
    text = results(comparison, experiment.benchmark, origin)
    (out / "results.md").write_text(text, encoding="utf-8")
    plain = figures(comparison, experiment.benchmark, origin)
    (out / "results.json").write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
    plot(comparison, experiment.benchmark.headline, out / "results.svg")
    click.echo(f"\n{text}\nwritten to {out}: results.md, results.json, results.svg")
    if as_json:
        click.echo(json.dumps(plain))
