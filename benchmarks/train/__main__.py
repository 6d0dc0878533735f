"""Speed and memory of training the paper's two-stage model: `python -m benchmarks.train --profile`."""

import dataclasses
import json
import os
from typing import Any, Literal

import click
import tabulate

from pipeline.comparison.provenance import provenance


@click.command()
@click.option("--users", "num_users", type=click.IntRange(1), default=40_000, show_default=True)
@click.option("--items", "num_items", type=click.IntRange(1), default=200_000, show_default=True)
@click.option(
    "--requests", "num_requests", type=click.IntRange(1), default=40_960, show_default=True, help="Per epoch."
)
@click.option("--batch-size", type=click.IntRange(1), default=1024, show_default=True, help="Requests of a step.")
@click.option("--epochs", type=click.IntRange(2), default=3, show_default=True, help="The first one also compiles.")
@click.option("--optimizer", type=click.Choice(["adam", "lazy_adam"]), default="adam", show_default=True)
@click.option("--catalogue", is_flag=True, help="Train on the catalogue too, which the paper does not.")
@click.option(
    "--precision", type=click.Choice(["float32", "bfloat16", "float16"]), default="float32", show_default=True
)
@click.option("--jit-compile", is_flag=True, help="Let XLA compile the step.")
@click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu", show_default=True)
@click.option("--profile", is_flag=True, help="Also time the parts of a step.")
@click.option("--smoke", is_flag=True, help="Few requests of few items, to see that it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
def main(device: Literal["cpu", "gpu"], profile: bool, smoke: bool, as_json: bool, **sizes: Any) -> None:
    """Train a DSSM and a DIN with LCRON on lists of 40 with histories of 50, and time whole epochs.

    The requests are made up, in the layout of RecFlow. An epoch is what training does in one: batches gathered from
    a mapped file, steps, callbacks and metrics, without the validation.
    """
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from benchmarks.train.parts import STEP
    from benchmarks.train.run import DeviceError, run
    from benchmarks.train.world import World

    world = World(**sizes)
    if smoke:
        world = dataclasses.replace(world, num_users=50, num_items=500, num_requests=96, batch_size=32, epochs=2)
    source = provenance("python -m benchmarks.train", str(world.seed))
    try:
        figures = run(world, device, profile, lambda line: click.echo(line, err=True))
    except DeviceError as error:
        raise click.ClickException(str(error)) from error
    rows = [(name, _text(value)) for name, value in dataclasses.asdict(figures).items() if name != "parts_s"]
    click.echo(tabulate.tabulate([*source.items(), *rows], tablefmt="plain"))
    if figures.parts_s:
        step_s = figures.parts_s[STEP]
        parts = [(name, f"{1e3 * part_s:.1f}", f"{part_s / step_s:.0%}") for name, part_s in figures.parts_s.items()]
        click.echo()
        click.echo(tabulate.tabulate(parts, ["part, forward and backward", "ms", "of the step"], stralign="right"))
    if as_json:
        world_figures = {"provenance": source, "world": dataclasses.asdict(world), "device": device}
        click.echo(json.dumps(world_figures | dataclasses.asdict(figures)))


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:,.4g}" if isinstance(value, float) and value < 1000 else f"{value:,.0f}"


if __name__ == "__main__":
    main()
