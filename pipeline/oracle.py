"""The best possible recall, which simulated logs know."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.experiment import ExperimentConfig
from sources.recflow.layout import LISTS
from sources.simulator.oracle import read_oracle


def best_possible_recall(experiment: ExperimentConfig, data_dir: Path, days: Sequence[str]) -> dict[str, float]:
    """Returns the best possible recall by k on some days of simulated logs; empty for any other logs."""
    content = read_oracle(data_dir) if experiment.adapter.kind == "recflow" else None
    by_day = (content or {}).get("best_recall_by_day", {})
    if not all(day in by_day for day in days):
        return {}
    truth = LISTS[experiment.adapter.options.get("lists", "two_stage")].stages[0]
    recalls = [by_day[day][truth] for day in days]
    return {k: sum(recall[k] for recall in recalls) / len(recalls) for k in recalls[0]}
