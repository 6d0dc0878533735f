"""Time and peak memory of every sorting operator and loss: `python -m benchmarks.losses --out docs`."""

import json
import os
import time
from pathlib import Path

import click

from benchmarks.losses.cases import (
    BATCH_SIZES,
    LOSS_BATCH_SIZE,
    LOSS_LIST_SIZE,
    METHODS,
    MODES,
    OPERATOR_NAMES,
    SEED,
    Case,
    estimated_bytes,
    loss_cases,
    operator_cases,
)
from benchmarks.losses.report import Result, page, plot, verdicts
from benchmarks.shared.measure import Measurer
from benchmarks.shared.options import choose
from pipeline.comparison.provenance import provenance


@click.command()
@click.option("--operators", default=",".join(OPERATOR_NAMES), help="Comma-separated; all by default.")
@click.option("--list-sizes", default=",".join(map(str, BATCH_SIZES)), show_default=True, help="Comma-separated.")
@click.option("--modes", default=",".join(MODES), show_default=True, help="Comma-separated.")
@click.option("--time-limit", "time_limit_s", type=click.FloatRange(1), default=60.0, show_default=True, metavar="S")
@click.option("--memory-limit", "memory_limit_gib", type=float, default=8.0, show_default=True, metavar="GIB")
@click.option("--smoke", is_flag=True, help="A short list of each and two losses, to see that it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for operators_benchmark.md and operators_benchmark.svg."
)
def main(
    operators: str,
    list_sizes: str,
    modes: str,
    time_limit_s: float,
    memory_limit_gib: float,
    smoke: bool,
    as_json: bool,
    out: Path | None,
) -> None:
    """Measure every operator at several list sizes, and every loss beside a training step of the demo's model."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the peak of a process's memory says nothing about a GPU's
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    shapes = {
        int(size): BATCH_SIZES[int(size)] for size in choose(list_sizes, [*map(str, BATCH_SIZES)], "--list-sizes")
    }
    batch_size, list_size, methods = LOSS_BATCH_SIZE, LOSS_LIST_SIZE, METHODS
    if smoke:
        shapes, batch_size, list_size, methods = {8: 4}, 4, 8, METHODS[:2]
    chosen_modes = [mode for mode in MODES if mode in choose(modes, MODES, "--modes")]
    cases = operator_cases(choose(operators, OPERATOR_NAMES, "--operators"), shapes, chosen_modes)
    cases += loss_cases(methods, batch_size, list_size, chosen_modes)

    results = _run(cases, time_limit_s, memory_limit_gib)
    source = provenance("python -m benchmarks.losses", str(SEED))
    text = page(results, source, time_limit_s, memory_limit_gib)
    click.echo(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "operators_benchmark.md").write_text(text, encoding="utf-8")
        plot(results, out / "operators_benchmark.svg")
    if as_json:
        figures = {
            "provenance": source,
            "verdicts": [verdict.figures() for verdict in verdicts(results)],
            "cases": [result.figures() for result in results],
        }
        click.echo(json.dumps(figures))


def _run(cases: list[Case], time_limit_s: float, memory_limit_gib: float) -> list[Result]:
    measurer = Measurer("benchmarks.losses.steps", time_limit_s)
    results, start_s = [], time.monotonic()
    for case in cases:
        results.append(_result(case, measurer, memory_limit_gib))
        elapsed_s = time.monotonic() - start_s
        eta_s = elapsed_s / len(results) * (len(cases) - len(results))
        click.echo(
            f"{len(results)}/{len(cases)} {case.name}, {MODES[case.mode]}, {case.batch_size} x {case.list_size}: "
            f"{results[-1]}; {elapsed_s:.0f} s, ETA {eta_s:.0f} s",
            err=True,
        )
    return results


def _result(case: Case, measurer: Measurer, memory_limit_gib: float) -> Result:
    estimate = estimated_bytes(case)
    if estimate > memory_limit_gib * 2**30:
        return Result(case, "over_memory", estimate)
    try:
        return Result(case, "measured", estimate, measurer.measure(case))
    except TimeoutError:
        return Result(case, "over_time", estimate)
    except RuntimeError as error:
        return Result(case, "failed", estimate, detail=str(error))


if __name__ == "__main__":
    main()
