import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.evaluation.kendall_tau import KendallTau

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def _tau(scores, labels, where=None):
    metric = KendallTau()
    metric.update_state(scores, labels, tf.ones(np.shape(scores), tf.bool) if where is None else where)
    return float(metric.result())


@pytest.mark.parametrize("case", ["full", "padded"])
def test_value_is_the_reference(case):
    vectors = np.load(VECTORS / "metrics.npz")
    tau = _tau(*(vectors[f"{case}_two_{name}"] for name in ("ret", "labels")), vectors[f"{case}_two_mask"].astype(bool))
    assert tau == pytest.approx(float(vectors[f"{case}_two_kdt_retrieval"]), rel=1e-5)


def test_value_is_the_formula():
    """Of six pairs four agree and one does not; one is tied in the labels."""
    tau = _tau([[1.0, 2.0, 3.0, 4.0]], [[0, 1, 1, 0.5]])
    assert tau == pytest.approx((3 - 2) / math.sqrt(6 * 5))
    assert _tau([[1.0, 2.0, 3.0]], [[10, 20, 30]]) == pytest.approx(1)
    assert _tau([[1.0, 2.0, 3.0]], [[3, 2, 1]]) == pytest.approx(-1)


def test_lists_of_one_score_or_one_label_do_not_count():
    scores = [[1.0, 2.0], [1.0, 1.0], [1.0, 2.0], [1.0, 9.0], [1.0, 2.0]]
    labels = [[0, 1], [0, 1], [1, 1], [0, 1], [0, 1]]
    where = [[True, True], [True, True], [True, True], [True, False], [False, False]]
    assert _tau(scores, labels, where) == pytest.approx(1)
    assert _tau(scores[1:], labels[1:], where[1:]) == 0
    assert float(KendallTau().result()) == 0


def test_batches_add_up():
    metric = KendallTau()
    where = tf.ones([1, 2], tf.bool)
    for label in (0, 2, 1):  # in turn -1, 1 and not defined
        metric.update_state([[2.0, 1.0]], [[label, 1]], where)
    assert float(metric.result()) == 0
    metric.update_state([[[2.0, 1.0]], [[3.0, 1.0]]], [[[5, 1]], [[1, 0]]], tf.ones([2, 1, 2], tf.bool))
    assert float(metric.result()) == pytest.approx((-1 + 1 + 1 + 1) / 4)


def test_values_of_any_size_keep_their_order():
    tau = _tau([[-math.inf, 1.0, 1.0 + 1e-6, 1e30, math.inf]], np.array([[1, 2, 3, 2**40, 2**40 + 1]]))
    assert tau == pytest.approx(1)
    assert _tau([[math.nan, 2.0, 1.0]], [[5, 2, 1]], [[False, True, True]]) == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 4))
def test_value_is_that_of_scipy(seed, list_size, num_grades):
    """Few distinct scores and labels give ties; the mean is over the lists where the value is defined."""
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(0, 5, [3, list_size]) / 2, rng.integers(0, num_grades, [3, list_size])
    where = rng.random([3, list_size]) < 0.8
    taus = [scipy.stats.kendalltau(s[w], y[w]).statistic for s, y, w in zip(scores, labels, where, strict=True)]
    expected = np.nanmean([*taus, np.nan]) if np.isfinite(taus).any() else 0
    assert _tau(scores, labels, where) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_gives_the_value(jit_compile):
    scores, labels, where = [[3.0, 1.0, 2.0, 9.0]], [[2, 1, 0, 0]], [[True, True, True, False]]
    metric = KendallTau()

    @tf.function(jit_compile=jit_compile, autograph=False)
    def value(scores, labels, where):
        metric.update_state(scores, labels, where)
        return metric.result()

    assert float(value(tf.constant(scores), tf.constant(labels), tf.constant(where))) == pytest.approx(1 / 3)


def test_config_round_trip():
    metric = KendallTau.from_config(KendallTau(name="retrieval_tau").get_config())
    assert metric.name == "retrieval_tau"
