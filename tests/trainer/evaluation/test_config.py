import subprocess
import sys

import pytest

from trainer.evaluation.config import EvaluationConfig, SliceConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ks": ()}, "`ks` must hold at least one list size. Received: ks=()"),
        ({"ks": (50, 10)}, "`ks` must be positive and ascending. Received: ks=(50, 10)"),
        ({"ks": (0, 10)}, "`ks` must be positive and ascending. Received: ks=(0, 10)"),
        ({"batch_size": 0}, "`batch_size` must be positive. Received: batch_size=0"),
        ({"max_requests": -1}, "`max_requests` must be positive. Received: max_requests=-1"),
        ({"popularity_days": 0.0}, "`popularity_days` must be positive. Received: popularity_days=0.0"),
    ],
)
def test_bad_values(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        EvaluationConfig(**values)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"history_sizes": (10, 10)},
            "`history_sizes` must be positive and ascending. Received: history_sizes=(10, 10)",
        ),
        (
            {"item_age_days": (7.0, 1.0)},
            "`item_age_days` must be positive and ascending. Received: item_age_days=(7.0, 1.0)",
        ),
        ({"max_values": 0}, "`max_values` must be at least 1. Received: max_values=0"),
    ],
)
def test_bad_slices(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        SliceConfig(**values)
    assert str(caught.value) == message


def test_default_metric_is_recall_at_the_largest_k() -> None:
    assert EvaluationConfig(ks=(5, 30)).default_metric == "recall@30"


def test_config_is_light() -> None:
    code = "import sys, trainer.evaluation.config; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
