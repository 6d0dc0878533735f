"""A controlled study of every method on a cascade of limited stages: `python -m benchmarks.toy --out docs`."""

import dataclasses
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import click

from benchmarks.shared.options import choose
from benchmarks.toy.cascade import Measures
from benchmarks.toy.methods import METHODS, REFERENCE, SETTINGS
from benchmarks.toy.report import Outcomes, figures, plot, results, write_page
from benchmarks.toy.study import Budget, Outcome, study_method
from pipeline.comparison.provenance import provenance

Task = tuple[str, str]  # a setting and a method

_SMOKE = Budget(num_seeds=2, num_validation_seeds=1, num_requests=32, num_steps=3, batch_size=8)


@click.command()
@click.option("--seeds", "num_seeds", type=click.IntRange(2), default=Budget.num_seeds, show_default=True)
@click.option("--methods", default=",".join(METHODS), help="Comma-separated; all by default.")
@click.option("--settings", default=",".join(SETTINGS), help="Comma-separated; all by default.")
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count(), show_default=True, help="Processes.")
@click.option("--smoke", is_flag=True, help="A few steps of each, to see that it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of outcomes: what it holds is not run again, what is run is added.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for toy.md (its results) and toy.svg.")
def main(
    num_seeds: int,
    methods: str,
    settings: str,
    jobs: int,
    smoke: bool,
    as_json: bool,
    resume: Path | None,
    out: Path | None,
) -> None:
    """Train every method in every setting and compare the recall of the hard cascade with that of LCRON."""
    method_names = choose(methods, METHODS, "--methods")
    setting_names = choose(settings, SETTINGS, "--settings")
    if REFERENCE not in method_names:
        method_names.append(REFERENCE)
    budget = _SMOKE if smoke else Budget(num_seeds=num_seeds)
    tasks = [(setting, method) for setting in setting_names for method in method_names]

    start_s = time.monotonic()
    outcomes = _load(resume, budget) if resume is not None else {}
    left = [task for task in tasks if task not in outcomes]
    for num_done, (task, outcome) in enumerate(_run(left, budget, jobs), start=1):
        outcomes[task] = outcome
        if resume is not None:
            _add(resume, budget, task, outcome)
        elapsed_s = time.monotonic() - start_s
        eta_s = elapsed_s / num_done * (len(left) - num_done)
        recall = sum(measures.recall for measures in outcome.measures) / len(outcome.measures)
        click.echo(
            f"{num_done}/{len(left)} {' '.join(task)}: recall {recall:.4f} ({outcome.chosen or 'no setting'}, "
            f"learning rate {outcome.learning_rate:g}), {elapsed_s:.0f} s, ETA {eta_s:.0f} s"
        )
    by_setting = {setting: {method: outcomes[setting, method] for method in method_names} for setting in setting_names}
    origin = provenance("python -m benchmarks.toy", f"0 to {budget.num_seeds - 1}")
    origin["process minutes"] = f"{_duration_s(by_setting) / 60:.0f}"
    text = results(by_setting, budget, origin)
    click.echo(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_page(out / "toy.md", text)
        plot(by_setting, out / "toy.svg")
    if as_json:
        click.echo(json.dumps(figures(by_setting, budget, origin)))


def _duration_s(by_setting: Outcomes) -> float:
    return sum(outcome.duration_s for by_method in by_setting.values() for outcome in by_method.values())


def _load(path: Path, budget: Budget) -> dict[Task, Outcome]:
    """Returns the outcomes of a file that the same budget gave."""
    outcomes = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        record = json.loads(line)
        if record["budget"] == dataclasses.asdict(budget):
            measures = [Measures(**measures) for measures in record["outcome"].pop("measures")]
            outcomes[record["setting"], record["method"]] = Outcome(measures=measures, **record["outcome"])
    return outcomes


def _add(path: Path, budget: Budget, task: Task, outcome: Outcome) -> None:
    setting, method = task
    record = {"setting": setting, "method": method, "budget": budget, "outcome": outcome}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, default=dataclasses.asdict) + "\n")


def _run(tasks: list[Task], budget: Budget, jobs: int) -> Iterator[tuple[Task, Outcome]]:
    if jobs == 1 or not tasks:
        for task in tasks:
            yield task, study_method(*task, budget)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(tasks)), context, initializer=_use_one_thread) as pool:
        futures = {pool.submit(study_method, *task, budget): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _use_one_thread() -> None:
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


if __name__ == "__main__":
    main()
