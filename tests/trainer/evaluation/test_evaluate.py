import pytest

from trainer.evaluation.config import EvaluationConfig
from trainer.evaluation.evaluate import evaluate

CONFIG = EvaluationConfig(ks=(1, 2), batch_size=3, popularity_days=None)


def test_metrics_of_the_whole_funnel(two_stage_models_dir: str, world: dict) -> None:
    result = evaluate(CONFIG, models_dir=two_stage_models_dir, **world)

    assert result.num_requests == 4
    assert result.num_requests_without_ground_truth == 1
    assert result.num_ground_truth == 9
    assert result.num_items == 5
    assert {name: value for name, value in result.metrics.items() if not name.startswith("list/")} == pytest.approx(
        {
            "recall@1": 2 / 9,
            "recall@2": 4 / 9,
            "mean_recall@1": (1 / 4 + 1 / 4 + 0) / 3,
            "mean_recall@2": (1 / 4 + 2 / 4 + 1) / 3,
            "deliverable": 7 / 9,
            "funnel/retrieval/recall": 6 / 9,
            "funnel/ranking/recall": 4 / 9,
        }
    )
    assert result.attribution["candidate"]["recall@2"] == {
        "excluded": 1,
        "not_in_catalogue": 1,
        "lost_in_retrieval": 1,
        "lost_in_ranking": 2,
        "delivered": 4,
    }
    assert result.attribution["candidate"]["recall@1"]["lost_in_ranking"] == 4
    assert sum(result.shares(1).values()) == pytest.approx(1)
    low, high = result.intervals["recall@2"]
    assert 0 < low < 4 / 9 < high < 1
