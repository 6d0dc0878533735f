"""`lcron evaluate`."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import click

from pipeline.cli.options import ReleaseBase, experiment_options, load_experiment, one_line_errors, quiet_libraries
from sources.adapter import Record


@click.command(
    epilog="""\b
Examples:
  lcron evaluate --config demo --data runs/demo/data --base runs/demo/serving
  lcron evaluate --config demo --data runs/demo/data --base runs/demo/serving --version 1767225600 --out report
"""
)
@experiment_options
@click.option(
    "--base",
    required=True,
    type=ReleaseBase(),
    help="Folder that releases are pushed to, or a path such as gs://bucket/serving.",
)
@click.option("--version", type=click.IntRange(min=1), help="Release to evaluate.  [default: the newest]")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the HTML and JSON report.")
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as one JSON object on the last line.")
def evaluate(
    config_name: str,
    smoke: bool,
    data: Path,
    overrides: tuple[str, ...],
    base: str,
    version: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Evaluates a pushed release on the test days of the logs, over the whole catalogue and inside logged lists."""
    experiment = load_experiment(config_name, smoke, overrides)
    quiet_libraries()

    from components.cascade_evaluator.pushed_subject import pushed_subject
    from pipeline.cli.logged_requests import open_adapter, read_day
    from pipeline.cli.tables import metrics_table
    from pipeline.oracle import best_possible_recall
    from serving.release.manifest import ReleaseError
    from serving.release.store import ReleaseStore
    from trainer.evaluation.evaluate import evaluate as evaluate_release

    with one_line_errors(ReleaseError), tempfile.TemporaryDirectory(prefix="lcron-evaluate-") as name:
        folder = Path(name)
        store = ReleaseStore(base)
        release = store.read(version) if version is not None else store.latest()
        if release is None:
            raise click.ClickException(f"there is no release in {base}")
        store.verify(release.version)
        adapter = open_adapter(experiment, data)
        splits = experiment.splits.resolve(adapter.days())
        judged = splits.get("test", splits["eval"])
        days = sorted(day for split in splits.values() for day in split)
        files = {
            "train": (record for day in splits["train"] for record in read_day(adapter, day)),
            "test": (record for day in judged for record in read_day(adapter, day)),
            "catalogue": adapter.read_catalogue(days, lambda policy, number: None),
        }
        paths = {name: [_write(folder / f"{name}.gz", records)] for name, records in files.items()}
        list_capacities = {stage.name: stage.list_capacity for stage in experiment.trainer.stages}
        subject = pushed_subject(
            store,
            release,
            ground_truth_stage=experiment.features.ground_truth_stage,
            list_capacities=list_capacities,
        )
        result = evaluate_release(
            experiment.evaluation,
            subject,
            request_files=paths["test"],
            catalogue_files=paths["catalogue"],
            train_request_files=paths["train"],
            oracle={int(k): recall for k, recall in best_possible_recall(experiment, data, judged).items()},
            output_dir=None if out is None else str(out),
            report=lambda line: click.echo(line, err=True),
        )
    click.echo(f"release {release.version} on {judged[0]} to {judged[-1]}, {result.num_requests:,} requests")
    click.echo(metrics_table(result))
    if as_json:
        click.echo(json.dumps({"version": release.version, **result.metrics}))


def _write(path: Path, records: Iterable[Record]) -> str:
    """Writes records as a gzipped TFRecord file of examples."""
    import tensorflow as tf

    from components.example_gen.serialization import serialize_record

    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for record in records:
            writer.write(serialize_record(record))
    return str(path)
