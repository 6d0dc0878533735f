from collections.abc import Callable

import pytest
from numpy import log2, sqrt

from trainer.evaluation.catalogue import read_catalogue
from trainer.evaluation.lists import list_metrics
from trainer.evaluation.requests import read_requests
from trainer.evaluation.stage_models import load_stage_models
from trainer.evaluation.subject import read_candidate
from trainer.reporting import Progress


def measure(world: dict, release_dir: str) -> dict[str, float]:
    models = load_stage_models(read_candidate(release_dir))
    catalogue = read_catalogue(world["catalogue_files"])
    requests = read_requests(world["request_files"], catalogue, ground_truth_stage=3, batch_size=3)
    return list_metrics(models, requests, catalogue, batch_size=3, progress=Progress(None, "", 0))


def test_two_stages(world: dict, two_stage_dir: str) -> None:
    # Retrieval passes 2 on, ranking as many as there is ground truth.
    # r1 (x is unknown): c a d of c a d b; retrieval a b, ranking d c b. r2: all of a b d c. r4: d of d e.
    # Labels are the stages: r1 retrieves 3 0 3 3, r3 1 0, r4 2 3; ranks 3 3 0 3, 0 1, 3 2.
    retrieved = (3 + 3 / log2(4) + 3 / log2(5)) / (3 + 3 / log2(3) + 3 / log2(4))
    ranked = (3 + 3 / log2(3) + 3 / log2(5)) / (3 + 3 / log2(3) + 3 / log2(4))
    assert measure(world, two_stage_dir) == pytest.approx(
        {
            "list/recall": (1 / 3 + 2 / 4 + 1) / 3,
            "list/retrieval/recall": (1 / 3 + 2 / 4 + 1) / 3,
            "list/retrieval/ndcg@10": (retrieved + 1 + 1 + (2 + 3 / log2(3)) / (3 + 2 / log2(3))) / 4,
            # Of three pairs of different labels in r1 retrieval has one right; r2, of one label, does not count.
            "list/retrieval/kendall_tau": ((1 - 2) / sqrt(6 * 3) + 1 - 1) / 3,
            "list/ranking/recall": (2 / 3 + 1 + 1) / 3,
            "list/ranking/ndcg@10": (ranked + 1 + 1 / log2(3) + 1) / 4,
            "list/ranking/kendall_tau": ((2 - 1) / sqrt(6 * 3) - 1 + 1) / 3,
        }
    )


def test_end_to_end_needs_all_stages(world: dict, write_rows: Callable, write_release: Callable) -> None:
    row = {
        "request_id": "r",
        "user_id": "u1",
        "request_time_ms": 0,
        "candidate_item_id": ["a", "b", "c", "d", "e"],
        "candidate_stage": [3, 3, 1, 0, 0],
        "candidate_rank": [2, 1, 1, 0, 0],
        "candidate_label": [1.0, 2.0, 0.5, 0.0, 0.0],
    }
    stages = [
        ("retrieval", 4, 4, {"*": (5, 1, 4, 3, 2)}),  # keeps a c d e
        ("preranking", 3, 3, {"*": (9, 8, 7, 6, 1)}),  # alone a b c, of these a c d
        ("ranking", 2, 2, {"*": (1, 5, 4, 3, 2)}),  # alone b c, of these c d
    ]
    metrics = measure(world | {"request_files": [write_rows("one", [row])]}, write_release("abcde", stages))
    recalls = {name: value for name, value in metrics.items() if name.endswith("recall")}
    assert recalls == {
        "list/retrieval/recall": 0.5,
        "list/preranking/recall": 1.0,
        "list/ranking/recall": 0.5,
        "list/recall": 0.0,
    }
    # Ranking orders b c d e a, with labels 2, 0.5, 0, 0, 1.
    ideal = 2 + 1 / log2(3) + 0.5 / log2(4)
    assert metrics["list/ranking/ndcg@10"] == pytest.approx((2 + 0.5 / log2(3) + 1 / log2(6)) / ideal)


def test_better_ranks_have_larger_labels(world: dict, write_rows: Callable, write_release: Callable) -> None:
    row = {
        "request_id": "r",
        "user_id": "u1",
        "request_time_ms": 0,
        "candidate_item_id": ["a", "b"],
        "candidate_stage": [3, 3],
        "candidate_rank": [2, 1],
    }
    stages = [("retrieval", 4, 1, {"*": (2, 1, 0, 0, 0)}), ("ranking", 2, 1, {"*": (1, 2, 0, 0, 0)})]
    metrics = measure(world | {"request_files": [write_rows("one", [row])]}, write_release("abcde", stages))
    a, b = 3 + 1 / 3, 3 + 1 / 2
    assert metrics["list/retrieval/ndcg@10"] == pytest.approx((a + b / log2(3)) / (b + a / log2(3)))
    assert metrics["list/ranking/ndcg@10"] == pytest.approx(1.0)
