"""How fast a release is served: `python -m benchmarks.serving --out docs`."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from benchmarks.shared.options import numbers, work_folder
from pipeline.comparison.provenance import provenance


@click.command()
@click.option("--items", "items", callback=numbers, default="100000,1000000", show_default=True, metavar="N,N")
@click.option("--clients", "clients", callback=numbers, default="1,8,32", show_default=True, metavar="N,N")
@click.option("--index", type=click.Choice(["exact", "ivf"]), default="exact", show_default=True, help="Of the items.")
@click.option("--seconds", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Of each measurement.")
@click.option("--work", type=click.Path(path_type=Path), help="Folder that keeps the made-up releases.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for serving_benchmark.svg.")
def main(
    items: Sequence[int],
    clients: Sequence[int],
    index: Literal["exact", "ivf"],
    seconds: float,
    work: Path | None,
    as_json: bool,
    out: Path | None,
) -> None:
    """Ask a server on this machine, and beside it the loaded models in this process.

    Releases are made up, with vectors of 64. Each of the clients asks again once it has its answer; more than one meet
    a server with --enable_batching that runs one batch at a time. The cascade is asked in one call, and in two hops by
    the project's client; for all but the latter the messages are written beforehand, so that the clients cost next to
    nothing.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.serving.report import figures, plot, tables
    from benchmarks.serving.run import SEED, run

    source = provenance("python -m benchmarks.serving", str(SEED))
    with work_folder(work) as folder:
        measured = [
            run(num_items, index, clients, seconds, folder, lambda line: click.echo(line, err=True))
            for num_items in items
        ]
    click.echo(tables(measured, source))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        plot(measured, out / "serving_benchmark.svg")
    if as_json:
        click.echo(json.dumps({"provenance": source, **figures(measured)}))


if __name__ == "__main__":
    main()
