"""Two baselines on KuaiRand-Pure: `python -m benchmarks.item_item --data KuaiRand-Pure/data`.

Popularity and a linear item-item model, on the requests, exclusions and ground truth by which the pipeline evaluates
`pipeline/configs/kuairand.py`. Takes about 2 minutes of one core and 1.5 GB.
"""

import dataclasses
import datetime
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np
import scipy.sparse
import tabulate

from pipeline.comparison.provenance import provenance
from sources.kuairand.exposures import Exposures, read_exposures
from sources.kuairand.features import read_video_ids
from sources.kuairand.layout import days_of, find_logs
from sources.reading import DataError, read_time_zone

KS = (10, 50, 100)

_BATCH_SIZE = 1024

Score = Callable[[scipy.sparse.csr_matrix], np.ndarray]
"""Scores `[R, num_items]` of the items for histories `[R, num_items]`, the number of exposures of each item."""


@dataclasses.dataclass(frozen=True)
class TestRequests:
    """A user and a day each, with what the user should get.

    Args:
      history: `[R, num_items]`, exposures before the day.
      truth: bool `[R, num_items]`, viewed long on the day.
    """

    __test__ = False  # the name is no test's

    history: scipy.sparse.csr_matrix
    truth: scipy.sparse.csr_matrix


def read_requests(exposures: Exposures, num_items: int, days: Sequence[int]) -> TestRequests:
    """Returns the requests of days that have ground truth.

    Args:
      exposures: by user and time.
      num_items: size of the catalogue.
      days: ordinals.
    """
    rows = np.flatnonzero(np.isin(exposures.day, days))
    keys = np.stack([exposures.user[rows], exposures.day[rows]])
    _, first, request = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    end = rows[first]  # exposures are sorted by user and day, so the history ends where the day begins
    start = np.searchsorted(exposures.user, exposures.user[end])
    seen = np.concatenate([np.arange(*bounds) for bounds in zip(start, end, strict=True)])
    history = _count(np.repeat(np.arange(len(end)), end - start), exposures.video[seen], (len(end), num_items))
    viewed = exposures.long_view[rows]
    truth = _count(request[viewed], exposures.video[rows][viewed], (len(end), num_items)) > 0
    kept = np.flatnonzero(truth.getnnz(axis=1))
    return TestRequests(history[kept], truth[kept])


def popularity(exposures: Exposures, num_items: int, days: Sequence[int]) -> Score:
    """Scores every item by its long views on the days, the same for all."""
    viewed = exposures.video[exposures.long_view & np.isin(exposures.day, days)]
    counts = np.bincount(viewed, minlength=num_items).astype(np.float32)
    return lambda history: np.tile(counts, (history.shape[0], 1))


def ridge(exposures: Exposures, num_items: int, until: int, regularisation: float) -> Score:
    """Scores by the linear item-item model of Steck (WWW 2019), ridge regression of each item on all others.

    With the users' exposures `X`, `P = (XᵀX + λI)⁻¹` and zeros on the diagonal, `B_ij = -P_ij / P_jj`.

    Args:
      exposures: by user and time.
      num_items: size of the catalogue.
      until: ordinal of the last day to learn from.
      regularisation: λ.
    """
    rows = exposures.day <= until
    users, user = np.unique(exposures.user[rows], return_inverse=True)
    exposed = (_count(user, exposures.video[rows], (len(users), num_items)) > 0).astype(np.float32)
    gram = (exposed.T @ exposed).toarray()
    gram[np.diag_indices(num_items)] += regularisation
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return lambda history: history @ weights


def recalls(score: Score, requests: TestRequests, ks: Sequence[int] = KS) -> dict[str, float]:
    """Returns the pooled `recall@k` of the best items that the request's history does not hold."""
    hits = np.zeros(len(ks))
    for start in range(0, requests.truth.shape[0], _BATCH_SIZE):
        history, truth = (each[start : start + _BATCH_SIZE] for each in (requests.history, requests.truth))
        scores = score(history)
        scores[history.nonzero()] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, : max(ks)]
        is_hit = np.take_along_axis(truth.toarray() & np.isfinite(scores), best, axis=1)
        hits += [is_hit[:, :k].sum() for k in ks]
    return {f"recall@{k}": float(hit / requests.truth.nnz) for k, hit in zip(ks, hits, strict=True)}


def _count(row: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> scipy.sparse.csr_matrix:
    return scipy.sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape)  # sums what comes twice


@click.command()
@click.option("--data", "data_dir", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--lambda", "regularisation", type=click.FloatRange(0, min_open=True), default=300.0, show_default=True)
@click.option("--on", "split", type=click.Choice(["eval", "test"]), default="test", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object, the last line.")
def main(data_dir: Path, regularisation: float, split: str, as_json: bool) -> None:
    """Measure popularity and an item-item model on the requests of the experiment `kuairand`."""
    from pipeline.configs.kuairand import config

    experiment = config()
    try:
        logs = find_logs(data_dir, random_log=False)
        video_ids = read_video_ids(data_dir)
        exposures = read_exposures(data_dir, logs, video_ids, read_time_zone(experiment.features.time_zone))
    except DataError as error:
        raise click.ClickException(str(error)) from error
    days = {
        name: [datetime.date.fromisoformat(day).toordinal() for day in each]
        for name, each in experiment.splits.resolve(days_of(logs)).items()
    }
    num_items, last = len(video_ids), days["train"][-1]
    requests = read_requests(exposures, num_items, days[split])
    recent = [day for day in days["train"] if day > last - (experiment.evaluation.popularity_days or np.inf)]
    methods = {
        "popularity": popularity(exposures, num_items, recent),
        "ridge": ridge(exposures, num_items, last, regularisation),
    }
    figures = {name: recalls(score, requests) for name, score in methods.items()}
    source = provenance("python -m benchmarks.item_item", seed="none")
    click.echo(tabulate.tabulate(source.items(), tablefmt="plain"))
    click.echo(
        tabulate.tabulate(
            [(name, *each.values()) for name, each in figures.items()], ["", *figures["ridge"]], floatfmt=".4f"
        )
    )
    if as_json:
        sizes = {
            "num_requests": requests.truth.shape[0],
            "num_ground_truth": requests.truth.nnz,
            "num_items": num_items,
        }
        click.echo(
            json.dumps({"provenance": source, "split": split, "lambda": regularisation, **sizes, "methods": figures})
        )


if __name__ == "__main__":
    main()
