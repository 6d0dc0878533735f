"""A comparison day by day: each day is judged by the model that was trained on the days before it."""

import datetime
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from trainer.data.batches import RequestBatches
from trainer.data.input import Requests
from trainer.data.request_batch import CANDIDATE_ITEM, REQUEST_DAY
from trainer.data.training_data import TrainingData
from trainer.model.cascade_model import CascadeModel
from trainer.training.best_epoch import BestEpoch
from trainer.training.fit import fit
from trainer.training.progress import Progress
from trainer.training.replicas.steps import Steps
from trainer.training.train_model import BEST_METRIC


def stream(model: CascadeModel, data: TrainingData, report: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Trains on the days of both splits in one continuous pass and measures, after each, on the next one.

    Figure 2 of the LCRON paper (arXiv 2503.09492) and the `*_nday` runs of DFTopK's do so. Weights, optimisers and loss
    weights go on from day to day.

    Args:
      model: the cascade, built and compiled, configured for one epoch at a constant rate.
      data: its evaluation split holds the days after those of the training split.
      report: gets lines of progress.

    Returns:
      By ISO day but the first, the metrics inside its lists.

    Raises:
      ValueError: the model is configured for more than one epoch or a falling rate, or there is a single day.
      DivergedError: the loss became infinite or not a number.
    """
    config = model.config
    if config.epochs != 1 or config.learning_rate_decay != "none":
        raise ValueError(
            "A streaming comparison needs `trainer.epochs=1` and `trainer.learning_rate_decay=none`. Received: "
            f"epochs={config.epochs}, learning_rate_decay={config.learning_rate_decay}"
        )
    days = [*_days(data.train_requests), *_days(data.eval_requests)]
    if len(days) < 2:
        raise ValueError(f"A streaming comparison needs at least two days. Received: {len(days)}")
    metrics = {}
    steps = Steps(model, RequestBatches(days[0][1], config.batch_size).element_spec)
    for (_, trained), (day, judged) in itertools.pairwise(days):
        state = fit(
            model,
            RequestBatches(trained, config.batch_size, shuffle_seed=config.seed),
            RequestBatches(judged, config.batch_size),
            best=BestEpoch(BEST_METRIC),
            callbacks=[Progress(report, len(trained[CANDIDATE_ITEM]), config)],
            steps=steps,
            report=report,
        )
        metrics[day] = state.epochs[0].validation
    return metrics


def _days(requests: Requests) -> Iterator[tuple[str, Requests]]:
    """Yields each day and its requests, in order."""
    day_of_request = requests[REQUEST_DAY]
    for day in np.unique(day_of_request):
        rows = np.flatnonzero(day_of_request == day)
        iso_day = datetime.date(1970, 1, 1) + datetime.timedelta(days=int(day))
        yield iso_day.isoformat(), {name: values[rows] for name, values in requests.items()}
