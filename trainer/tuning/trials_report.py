"""All trials of a search as a table and a picture."""

import csv
import io
import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from trainer.config.overrides import override_text
from trainer.training.train_model import BEST_METRIC
from trainer.tuning.config import Choice, TuningConfig
from trainer.tuning.trial_record import TrialRecord


def trials_csv(records: Sequence[TrialRecord]) -> str:
    """Returns the trials as CSV, the best first and those that failed last."""
    keys = list(records[0].values)
    rows = sorted(
        enumerate(records, start=1), key=lambda row: math.inf if row[1].objective is None else -row[1].objective
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", BEST_METRIC, "best_epoch", "duration_s", *keys, "failure"])
    for number, record in rows:
        values = [override_text(record.values[key]) for key in keys]
        row = [number, record.objective, record.best_epoch, round(record.duration_s, 1), *values, record.failure]
        writer.writerow(["" if cell is None else cell for cell in row])
    return text.getvalue()


def trials_plot(records: Sequence[TrialRecord], tuning: TuningConfig) -> str:
    """Returns an SVG picture of the objective over each tuned value."""
    parts = tuning.search_space
    figure = Figure(figsize=(3.2 * len(parts), 3.0), layout="constrained")
    done = [record for record in records if record.objective is not None]
    for axes, part in zip(figure.subplots(1, len(parts), sharey=True, squeeze=False)[0], parts, strict=True):
        values = [record.values[part.key] for record in done]
        if isinstance(part, Choice):
            names = [override_text(value) for value in part.values]
            axes.set_xticks(range(len(names)), names)
            values = [names.index(override_text(value)) for value in values]
        else:
            axes.set_xscale(part.sampling)
        axes.scatter(values, [record.objective for record in done], s=18, color="#2563eb")
        axes.set_xlabel(part.key)
        axes.grid(color="#e2e8f0")
        axes.set_axisbelow(True)
    figure.axes[0].set_ylabel(BEST_METRIC)
    figure.axes[0].yaxis.set_major_formatter(PercentFormatter(1.0))
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
