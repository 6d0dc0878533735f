"""Recall and speed of the kinds of index: `python -m benchmarks.index`."""

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click
import tabulate

from benchmarks.shared.options import choose, numbers
from pipeline.comparison.provenance import provenance

KINDS = ("exact", "ivf", "scann")
_BATCHES = (1, 32)
_K = 100
_REPEATS = 15


@click.command()
@click.option("--items", "num_items", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--width", type=click.IntRange(1), default=64, show_default=True, help="Entries of a vector.")
@click.option("--users", "num_users", type=click.IntRange(32), default=256, show_default=True)
@click.option("--kinds", default=",".join(KINDS), show_default=True, help="Comma-separated.")
@click.option("--probes", default="16,32,64,128,256", show_default=True, callback=numbers, help="Leaves to search.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Picture to write, recall over time.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
def main(
    num_items: int,
    width: int,
    num_users: int,
    kinds: str,
    probes: list[int],
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Search made-up vectors for the best 100 items of 1 and of 32 requests.

    The vectors come in 3,000 clusters, spread less and less from the first entry to the last, and have unequal norms;
    a user is near to the mean of three items. All kinds and numbers of leaves take turns, so a busy moment meets all.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    source = provenance("python -m benchmarks.index", str(seed))
    figures = _measure(num_items, width, num_users, choose(kinds, KINDS, "--kinds"), probes, seed)
    click.echo(tabulate.tabulate(source.items(), tablefmt="plain"))
    click.echo()
    columns = ["index", "leaves", "recall@10", "recall@100", *(f"ms for {size}" for size in _BATCHES), "build s"]
    rows = [
        (
            each["kind"],
            each["num_probed_leaves"] or "-",
            f"{each['recall@10']:.3f}",
            f"{each['recall@100']:.3f}",
            *(f"{each['ms'][size]:.1f}" for size in _BATCHES),
            f"{each['build_s']:.0f}",
        )
        for each in figures
    ]
    click.echo(tabulate.tabulate(rows, columns, disable_numparse=True, colalign=("left", *["right"] * 6)))
    if out is not None:
        _plot(figures, num_items, out)
    if as_json:
        click.echo(json.dumps({"provenance": source, "num_items": num_items, "width": width, "indices": figures}))


def _measure(
    num_items: int, width: int, num_users: int, kinds: list[str], probes: list[int], seed: int
) -> list[dict[str, Any]]:
    import numpy as np
    import tensorflow as tf

    from trainer.config.index import IndexConfig, IndexKind
    from trainer.data.item_table import ItemTable
    from trainer.index.build import build_search
    from trainer.index.exact_search import ExactSearch
    from trainer.index.item_filters import ItemFilters
    from trainer.index.recall import index_recall
    from trainer.index.search_query import SearchQuery

    items, users = _vectors(num_items, width, num_users, np.random.default_rng(seed))
    filters = ItemFilters((), ItemTable((b"i",), np.zeros([2, 0]), ()), {})
    exact = ExactSearch(items, filters)
    figures: list[dict[str, Any]] = []
    calls: list[dict[int, Callable[[], object]]] = []
    for kind in kinds:
        start_s = time.perf_counter()
        search = build_search(IndexConfig(cast(IndexKind, kind)), items, filters)
        build_s = time.perf_counter() - start_s

        def found(users: tf.Tensor, num_probed: tf.Tensor, search: Any = search) -> tf.Tensor:
            no_exclusions = tf.zeros([tf.shape(users)[0], 0], tf.int32)
            return search.search(users, SearchQuery(_K, no_exclusions, num_probed_leaves=num_probed))[0]

        function = tf.function(found, reduce_retracing=True)
        for number in probes if kind != "exact" else [0]:
            recall = index_recall(search, exact, users, number or None)
            figures.append({"kind": kind, "num_probed_leaves": number, "build_s": build_s, **recall})
            calls.append(
                {
                    size: lambda size=size, number=number, function=function: function(  # type: ignore[misc]
                        tf.constant(users[:size]), tf.fill([size], number)
                    ).numpy()
                    for size in _BATCHES
                }
            )
            click.echo(f"{kind} {number or ''}: recall@100 {recall['recall@100']:.3f}", err=True)
    times: list[dict[int, list[float]]] = [{size: [] for size in _BATCHES} for _ in calls]
    for repeat in range(_REPEATS + 1):
        for call, measured in zip(calls, times, strict=True):
            for size in _BATCHES:
                start_s = time.perf_counter()
                call[size]()
                if repeat:  # the first traces
                    measured[size].append(1e3 * (time.perf_counter() - start_s))
    for each, measured in zip(figures, times, strict=True):
        each["ms"] = {size: statistics.median(values) for size, values in measured.items()}
    return figures


def _vectors(num_items: int, width: int, num_users: int, rng: Any) -> tuple[Any, Any]:
    import numpy as np

    spread = np.arange(1, width + 1) ** -0.4
    centres = rng.standard_normal((3_000, width)) * spread
    noise = 0.7 * rng.standard_normal((num_items + 1, width)) * spread
    items = centres[rng.integers(len(centres), size=num_items + 1)] + noise
    items *= np.exp(0.2 * rng.standard_normal((num_items + 1, 1)))
    near = items[rng.integers(1, num_items + 1, size=(num_users, 3))].mean(axis=1)
    users = near + 0.4 * rng.standard_normal((num_users, width)) * spread
    return items.astype(np.float32), users.astype(np.float32)


def _plot(figures: list[dict[str, Any]], num_items: int, path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(_BATCHES), figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, size in zip(axes, _BATCHES, strict=True):
        for kind in dict.fromkeys(each["kind"] for each in figures):
            of_kind = [each for each in figures if each["kind"] == kind]
            axis.plot(
                [each["ms"][size] for each in of_kind], [each["recall@100"] for each in of_kind], "o-", label=kind
            )
        axis.set_xscale("log")
        axis.set_xlabel(f"ms for {size} request{'s' if size > 1 else ''}")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"recall@{_K} of the exact answer")
    axes[0].set_title(f"{num_items:,} items", loc="left")
    axes[0].legend()
    figure.savefig(path)


if __name__ == "__main__":
    main()
