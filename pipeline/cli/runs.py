"""`lcron runs`."""

from pathlib import Path

import click

from pipeline.cli.options import one_line_errors


@click.command(
    epilog="""\b
Examples:
  lcron runs --root runs/demo
  lcron runs --root runs/demo --last 1 --components
"""
)
@click.option(
    "--root",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that `lcron run --root` wrote.",
)
@click.option("--last", type=click.IntRange(min=1), default=10, show_default=True, help="Newest runs to list.")
@click.option("--components", is_flag=True, help="List every component of each run.")
def runs(root: Path, last: int, components: bool) -> None:
    """Lists pipeline runs: component states, durations, metrics and blessing."""
    from pipeline.cli.tables import components_table, runs_table
    from pipeline.history import list_runs

    database = root / "metadata.sqlite"
    if not database.exists():
        raise click.ClickException(f"no pipeline has run in {root}: {database} does not exist")
    with one_line_errors(RuntimeError):  # what the metadata store raises where the file is no database
        found = list_runs(database)[:last]
    click.echo(runs_table(found))
    if components:
        for run in found:
            click.echo(f"\n{run.run_id}\n{components_table(run.components)}")
