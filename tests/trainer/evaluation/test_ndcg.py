import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.evaluation.ndcg import Ndcg

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


@pytest.mark.parametrize("case", ["full", "padded"])
@pytest.mark.parametrize(("stage", "scores"), [("retrieval", "two_ret"), ("prerank", "two_pre")])
def test_value_is_the_reference(stage, scores, case):
    vectors = np.load(VECTORS / "metrics.npz")
    metric = Ndcg(top_n=10)
    labels = vectors[f"{case}_two_labels"].astype(np.float32)
    metric.update_state(vectors[f"{case}_{scores}"], labels, tf.ones_like(labels, tf.bool))  # it counts padding too
    assert float(metric.result()) == pytest.approx(float(vectors[f"{case}_two_ndcg_{stage}"]), rel=1e-5)


def test_ties_are_broken_at_random():
    """In the mean over many lists every order of the tied items comes up as often, which the reference works out."""
    tf.random.set_seed(1)
    num_lists = 20_000
    labels = tf.tile([[3.0, 1.0, 0.0]], [num_lists, 1])
    metric = Ndcg(top_n=2)
    metric.update_state(tf.tile([[1.0, 1.0, 1.0]], [num_lists, 1]), labels, tf.ones_like(labels, tf.bool))
    mean_gain = (3 + 1 + 0) / 3
    expected = mean_gain * (1 + 1 / math.log2(3)) / (3 + 1 / math.log2(3))
    assert float(metric.result()) == pytest.approx(expected, abs=0.01)


def test_config_round_trip():
    metric = Ndcg.from_config(Ndcg(top_n=7, name="ranking_ndcg").get_config())
    assert (metric.top_n, metric.name) == (7, "ranking_ndcg")
