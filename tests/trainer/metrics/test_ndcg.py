import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.metrics.ndcg import Ndcg

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def test_value_is_the_formula():
    metric = Ndcg(top_n=2)
    metric.update_state([[1.0, 3.0, 2.0]], [[5.0, 1.0, 2.0]], [[True, True, True]])
    expected = (1 + 2 / math.log2(3)) / (5 + 2 / math.log2(3))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_padding_and_lists_without_gain_do_not_count():
    metric = Ndcg()
    metric.update_state(
        [[1.0, 3.0, 9.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]],
        [[2.0, 1.0, 7.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]],
        [[True, True, False], [True, True, True], [False, False, False]],
    )
    expected = (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)


def test_nothing_seen_is_zero():
    metric = Ndcg()
    assert float(metric.result()) == 0
    metric.update_state([[1.0, 2.0]], [[0.0, 0.0]], [[True, True]])
    assert float(metric.result()) == 0


@pytest.mark.parametrize(("stage", "scores"), [("retrieval", "full_two_ret"), ("prerank", "full_two_pre")])
def test_reference_vectors(stage, scores):
    vectors = np.load(VECTORS / "metrics.npz")
    metric = Ndcg(top_n=10)
    labels = vectors["full_two_labels"].astype(np.float32)
    metric.update_state(vectors[scores], labels, tf.ones_like(labels, tf.bool))
    assert float(metric.result()) == pytest.approx(float(vectors[f"full_two_ndcg_{stage}"]), rel=1e-5)


def test_config_round_trip():
    metric = Ndcg.from_config(Ndcg(top_n=7, name="ranking_ndcg").get_config())
    assert (metric.top_n, metric.name) == (7, "ranking_ndcg")
