import dataclasses

import numpy as np
import pytest

from trainer.evaluation.catalogue import read_catalogue
from trainer.evaluation.config import SliceConfig
from trainer.evaluation.funnel import Funnel
from trainer.evaluation.requests import read_requests
from trainer.evaluation.slices import SliceMetrics, slice_metrics


@pytest.fixture
def slices(world: dict):
    """Slices of the hand-made requests, where the first k of r1: c a d x, r2: a b d c, r4: d are delivered."""
    catalogue = read_catalogue(world["catalogue_files"])
    requests = read_requests(
        world["request_files"], catalogue, ground_truth_stage=3, batch_size=3, request_features=("tab",)
    )
    positions = np.array([[0, 1, 2, 9, 9, 0, 1, 2, 0]])
    excluded = requests.ground_truth.isin(requests.excluded, catalogue.num_items)
    known = requests.ground_truth.item >= 0
    funnel = Funnel(("retrieval",), (3,), requests.ground_truth.request, excluded, known, positions)

    def run(config: SliceConfig, k: int) -> dict[tuple[str, str], SliceMetrics]:
        return {(part.dimension, part.value): part for part in slice_metrics(config, funnel, requests, catalogue, [k])}

    return run


def numbers(part: SliceMetrics) -> tuple[int, int, float, float]:
    return part.num_requests, part.num_ground_truth, part.recall, part.mean_recall


def test_activity(slices) -> None:
    parts = slices(SliceConfig(history_sizes=(1, 3)), 1)
    activity = {value: numbers(part) for (dimension, value), part in parts.items() if dimension == "history_size"}
    assert activity == {"0": (1, 4, 1 / 4, 1 / 4), "1-2": (1, 4, 1 / 4, 1 / 4), "3+": (1, 1, 1.0, 1.0)}


def test_item_age(slices) -> None:
    parts = slices(SliceConfig(item_age_days=(1.0, 7.0, 30.0)), 2)
    age = {value: numbers(part) for (dimension, value), part in parts.items() if dimension == "item_age_days"}
    assert age == {
        "0-1": (2, 2, 1 / 2, 1 / 2),  # a: delivered in r1, excluded in r2
        "1-7": (1, 1, 1.0, 1.0),  # b
        "7-30": (2, 2, 1 / 2, 1 / 2),  # c
        "30+": (3, 3, 2 / 3, 2 / 3),  # d
        "unknown": (1, 1, 0.0, 0.0),  # x
    }


def test_request_features(slices) -> None:
    parts = slices(SliceConfig(request_features=("tab",), max_values=2), 2)
    tab = {value: numbers(part) for (dimension, value), part in parts.items() if dimension == "tab"}
    assert tab == {"2": (1, 4, 2 / 4, 2 / 4), "(missing)": (1, 1, 1.0, 1.0), "(other)": (1, 4, 2 / 4, 2 / 4)}


def test_every_dimension_holds_all_ground_truth(slices) -> None:
    parts = slices(SliceConfig(request_features=("tab",), max_values=1), 2)
    for dimension in ("history_size", "item_age_days", "tab"):
        assert sum(part.num_ground_truth for part in parts.values() if part.dimension == dimension) == 9
    for part in parts.values():
        assert part.recall_low <= part.recall <= part.recall_high
        assert dataclasses.asdict(part)["k"] == 2
