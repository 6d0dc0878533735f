"""Releases that come while clients ask: `python -m benchmarks.swaps`."""

import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.shared.options import work_folder
from pipeline.comparison.provenance import provenance


@click.command()
@click.option("--items", "num_items", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--num-swaps", type=click.IntRange(1), default=20, show_default=True, help="Good releases to push.")
@click.option("--clients", "num_clients", type=click.IntRange(2), default=32, show_default=True)
@click.option("--quiet", "quiet_s", type=click.FloatRange(0.1), default=20.0, show_default=True, metavar="S")
@click.option("--work", type=click.Path(path_type=Path), help="Folder that keeps the made-up releases.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
def main(num_items: int, num_swaps: int, num_clients: int, quiet_s: float, work: Path | None, as_json: bool) -> None:
    """Push release after release while clients of the project ask, half stage after stage, half in one call.

    Halfway a damaged release comes, later the server is killed and started again. Every answer is compared with what
    the release that it names answers when nothing else goes on. Ends with status 1 if a request failed or an answer is
    wrong. The quiet time comes before the first release; a fifth of it follows each.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.serving.run import SEED
    from benchmarks.serving.world import STAGES, ServingWorld
    from benchmarks.swaps.drill import Drill
    from benchmarks.swaps.report import summary, text

    source = provenance("python -m benchmarks.swaps", str(SEED))
    world = ServingWorld(num_items, num_requests=32, seed=SEED)
    with work_folder(work) as folder, tempfile.TemporaryDirectory() as served:
        releases = world.write_models(folder, num_releases=2)
        drill = Drill(releases, STAGES, world.requests(), Path(served), lambda line: click.echo(line, err=True))
        result = summary(drill.run(num_swaps=num_swaps, num_clients=num_clients, quiet_s=quiet_s))
    click.echo(text(result, source))
    if as_json:
        figures = {"verdicts": [result.verdict.figures()], "is_correct": result.is_correct}
        click.echo(json.dumps({"provenance": source, **figures, **dataclasses.asdict(result)}))
    sys.exit(0 if result.is_correct else 1)


if __name__ == "__main__":
    main()
