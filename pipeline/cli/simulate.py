"""`lcron simulate`."""

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import config_option, load_experiment, one_line_errors, smoke_option


@click.command(
    epilog="""\b
Examples:
  lcron simulate --config demo --out runs/demo/data
  lcron simulate --config recflow_two_stage --out /data/logs --requests-per-day 20000 --items 50000
"""
)
@config_option
@smoke_option
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write.")
@click.option("--users", type=click.IntRange(min=1), help="Number of users.")
@click.option("--items", type=click.IntRange(min=1), help="Number of catalogue items.")
@click.option("--days", type=click.IntRange(min=1), help="Number of days.")
@click.option("--requests-per-day", type=click.IntRange(min=1), help="Requests logged per day.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the world and its logs.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier simulation in the folder.")
def simulate(
    config_name: str,
    smoke: bool,
    out: Path,
    users: int | None,
    items: int | None,
    days: int | None,
    requests_per_day: int | None,
    seed: int | None,
    overwrite: bool,
) -> None:
    """Writes the logs of a simulated recommendation funnel, in RecFlow's file layout.

    The same seed gives the same bytes. The true affinity of every user for every item is known, so the best possible
    recall is too; it is printed and kept in oracle.json.
    """
    import dataclasses

    from pipeline.cli.progress import Progress
    from pipeline.cli.tables import oracle_table
    from sources import simulator

    experiment = load_experiment(config_name, smoke)
    if experiment.simulation is None:
        raise click.UsageError(f"--config {config_name} reads real logs and has no simulation")
    given: dict[str, Any] = {
        "num_users": users,
        "num_items": items,
        "num_days": days,
        "requests_per_day": requests_per_day,
        "seed": seed,
    }
    with one_line_errors():
        config = dataclasses.replace(
            experiment.simulation, **{name: value for name, value in given.items() if value is not None}
        )
        with Progress("simulate", "requests") as progress:
            report = simulator.simulate(config, out, progress=progress.update, overwrite=overwrite)
    state = "already there" if report.reused else "written"
    click.echo(
        f"{report.num_requests:,} requests of {report.days[0]} to {report.days[-1]} {state} in {report.data_dir}\n"
        f"{oracle_table(report.best_recall)}"
    )
