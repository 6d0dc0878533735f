"""All runs of a comparison: several side by side, none twice."""

import contextlib
import dataclasses
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from pipeline.comparison.outcome import Outcome, read_outcome
from pipeline.comparison.setup import Setup
from pipeline.comparison.trial import run_trial

Task = tuple[str, int]
"""A method and a seed."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """A run that ended in an error.

    Args:
      method: its method.
      seed: its seed.
      message: the error in one line.
    """

    method: str
    seed: int
    message: str


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What came of all runs.

    Args:
      outcomes: in the order of methods, then seeds.
      failures: runs without an outcome.
    """

    outcomes: tuple[Outcome, ...]
    failures: tuple[Failure, ...]


def run_comparison(
    setup: Setup, methods: Sequence[str], seeds: Sequence[int], *, jobs: int, report: Callable[[str], None]
) -> Comparison:
    """Runs every method with every seed. Runs that an earlier call finished, on equal terms, are not run again.

    Seed by seed, so that a comparison that is stopped has whole rows. A run that fails does not stop the others. The
    lines of each run are in `<folder>/logs`, its outcome in `<folder>/outcomes`.

    Args:
      setup: of the comparison.
      methods: keys of `METHODS`.
      seeds: of the runs.
      jobs: runs at a time, each in a process with its share of the cores.
      report: gets a line for each run that is done, with what is left.

    Returns:
      The outcomes.
    """
    folder = setup.folder / "outcomes"
    tasks = [(method, seed) for seed in seeds for method in methods]
    outcomes = {
        task: outcome for task in tasks if (outcome := read_outcome(folder, *task, setup.key(*task))) is not None
    }
    left = [task for task in tasks if task not in outcomes]
    if outcomes:
        report(f"{len(outcomes)} of {len(tasks)} runs were done before")
    failures = []
    start_s = time.monotonic()
    for num_done, (task, result) in enumerate(_run(setup, left, jobs), start=1):
        elapsed_s = time.monotonic() - start_s
        eta_s = elapsed_s / num_done * (len(left) - num_done)
        if isinstance(result, Failure):
            failures.append(result)
            text = f"failed: {result.message}"
        else:
            outcomes[task] = result
            headline = setup.experiment.benchmark.headline
            text = f"{headline} {result.metrics[headline]:.4f}, {result.run_s:.0f} s"
        report(
            f"[{num_done:{len(str(len(left)))}}/{len(left)}] {task[0]} seed {task[1]}: {text}; "
            f"{3600 * num_done / elapsed_s:.0f} runs/h, ETA {eta_s:.0f} s"
        )
    ordered = [(method, seed) for method in methods for seed in seeds]
    return Comparison(tuple(outcomes[task] for task in ordered if task in outcomes), tuple(failures))


def _run(setup: Setup, tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Outcome | Failure]]:
    if not tasks:
        return
    jobs = min(jobs, len(tasks))
    num_threads = max(1, (os.cpu_count() or 1) // jobs)
    # Processes of their own even for a single job: TensorFlow takes its number of threads once. They are copies of one
    # that has imported it, and done nothing with it.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pipeline.comparison.trial"])
    with ProcessPoolExecutor(jobs, context, initializer=_start_process, initargs=(num_threads,)) as pool:
        futures = {pool.submit(_run_task, setup, *task): task for task in tasks}
        try:
            for future in as_completed(futures):
                task = futures[future]
                try:
                    yield task, future.result()
                except BrokenProcessPool:
                    yield task, Failure(*task, "a process of the comparison was ended, as when memory runs out")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _start_process(num_threads: int) -> None:
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(num_threads)
    tf.config.threading.set_inter_op_parallelism_threads(num_threads)


def _run_task(setup: Setup, method: str, seed: int) -> Outcome | Failure:
    import tensorflow as tf

    path = setup.folder / "logs" / f"{method}-{seed}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _log(path) as report:
        try:
            outcome = run_trial(setup, method, seed, report)
        except Exception as error:
            report(traceback.format_exc())
            return Failure(method, seed, " ".join(f"{type(error).__name__}: {error}".split()))
        finally:
            tf.keras.backend.clear_session()
        outcome.write(setup.folder / "outcomes")
        return outcome


@contextlib.contextmanager
def _log(path: Path) -> Iterator[Callable[[str], None]]:
    with path.open("w", encoding="utf-8", buffering=1) as file:
        yield lambda line: print(line, file=file)
