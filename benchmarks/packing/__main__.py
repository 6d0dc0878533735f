"""Speed and memory of getting requests to the training: `python -m benchmarks.packing`."""

import json
import os
import tempfile
from pathlib import Path

import click
import tabulate

from pipeline.comparison.provenance import provenance

_MIB = 2**20


@click.command()
@click.option("--requests", "num_requests", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--items", "num_items", type=click.IntRange(1), default=200_000, show_default=True)
@click.option("--files", "num_files", type=click.IntRange(1), default=8, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=1024, show_default=True)
@click.option("--smoke", is_flag=True, help="Few requests, to see that it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
def main(num_requests: int, num_items: int, num_files: int, batch_size: int, smoke: bool, as_json: bool) -> None:
    """Parse made-up requests in RecFlow's layout, pack them, find them packed, and run through an epoch.

    Each way is a process of its own. The epochs gather batches as fast as they can, without a model; before the cold
    one the system is told to forget the file.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.packing.ways import WAYS, Sizes, measure, write_examples

    sizes = Sizes(300, 500, 2, 64) if smoke else Sizes(num_requests, num_items, num_files, batch_size)
    source = provenance("python -m benchmarks.packing", str(sizes.world.seed))
    with tempfile.TemporaryDirectory() as folder:
        files = write_examples(sizes, Path(folder))
        input_mib = sum(path.stat().st_size for path in files) / _MIB
        figures = {name: measure(way, sizes, files, Path(folder) / "packed") for name, way in WAYS.items()}
        packed_mib = sum(path.stat().st_size for path in Path(folder).glob("packed/*/*.bin")) / _MIB
    megabytes = {"gzipped examples, MiB": f"{input_mib:,.0f}", "packed, MiB": f"{packed_mib:,.0f}"}
    click.echo(tabulate.tabulate([*source.items(), *megabytes.items()], tablefmt="plain"))
    click.echo()
    rows = [
        (name, f"{each.seconds:.2f}", f"{sizes.num_requests / each.seconds:,.0f}", f"{each.peak_mib:,.0f}")
        for name, each in figures.items()
    ]
    columns = ["way", "seconds", "requests/s", "growth of peak memory, MiB"]
    click.echo(tabulate.tabulate(rows, columns, disable_numparse=True, colalign=("left", "right", "right", "right")))
    if as_json:
        ways = {name: {"seconds": each.seconds, "peak_mib": each.peak_mib} for name, each in figures.items()}
        click.echo(json.dumps({"provenance": source, "input_mib": input_mib, "packed_mib": packed_mib, "ways": ways}))


if __name__ == "__main__":
    main()
