"""The operators that compare every score with one threshold."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.sorting.fermi_dirac import fermi_dirac
from trainer.sorting.lap_sum import lap_sum
from trainer.sorting.sparse_top_k import sparse_top_k
from trainer.sorting.survival import LOG_ZERO
from trainer.sorting.threshold_sigmoid import threshold_sigmoid

DISTRIBUTION = {
    fermi_dirac: scipy.stats.logistic,
    lap_sum: scipy.stats.laplace,
    sparse_top_k: scipy.stats.uniform(-0.5, 1),
}
every_distribution = pytest.mark.parametrize("operator", DISTRIBUTION)
smooth_distributions = pytest.mark.parametrize("operator", [fermi_dirac, lap_sum])


def _expected(operator, scores, k, temperature):
    """Returns the log-probabilities of head and tail with the threshold found by Brent's method."""
    distribution = DISTRIBUTION[operator]

    def excess(threshold):
        return distribution.cdf((scores - threshold) / temperature).sum() - k

    reach = 30 * temperature
    threshold = scipy.optimize.brentq(excess, scores.min() - reach, scores.max() + reach, xtol=1e-14, rtol=1e-14)
    z = (scores - threshold) / temperature
    with np.errstate(divide="ignore"):
        return (np.maximum(log, LOG_ZERO) for log in (distribution.logcdf(z), distribution.logsf(z)))


def _gradient(function, *variables):
    variables = [tf.constant(variable, tf.float64) for variable in variables]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        value = function(*variables)
    return tape.gradient(value, variables)


@every_distribution
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_survival_is_that_of_the_distribution_at_the_threshold(operator, seed):
    rng = np.random.default_rng(seed)
    scores, k = rng.normal(size=[20, 9]), rng.integers(1, 9, size=20)
    temperature = 10 ** rng.uniform(-1, 1.5, size=20)
    survival = operator(scores, tf.constant(k), temperature=temperature)
    each = [list(_expected(operator, *arguments)) for arguments in zip(scores, k, temperature, strict=True)]
    log_head, log_tail = np.swapaxes(each, 0, 1)
    np.testing.assert_allclose(survival.head, np.exp(log_head), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(survival.tail, np.exp(log_tail), rtol=1e-8, atol=1e-10)
    if operator is not sparse_top_k:
        np.testing.assert_allclose(survival.log_head, log_head, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(survival.log_tail, log_tail, rtol=1e-7, atol=1e-10)


@every_distribution
@pytest.mark.parametrize("temperature", [0.7, 3.0])
def test_gradient_by_scores_and_temperature_is_the_slope_of_the_expected_survival(operator, temperature):
    rng = np.random.default_rng(0)
    scores, upstream, step = rng.normal(size=7), rng.normal(size=[2, 7]), 1e-6

    def loss(scores, temperature):
        survival = operator(scores, 3, temperature=temperature)
        return tf.reduce_sum(upstream * tf.stack([survival.head, survival.tail]))

    def expected(scores, temperature):
        return (upstream * np.exp(list(_expected(operator, scores, 3, temperature)))).sum()

    by_scores, by_temperature = _gradient(loss, scores, temperature)
    slopes = [
        (expected(scores + step * unit, temperature) - expected(scores - step * unit, temperature)) / (2 * step)
        for unit in np.eye(7)
    ]
    np.testing.assert_allclose(by_scores, slopes, rtol=1e-5, atol=1e-8)
    slope = (expected(scores, temperature + step) - expected(scores, temperature - step)) / (2 * step)
    np.testing.assert_allclose(by_temperature, slope, rtol=1e-5, atol=1e-8)


@smooth_distributions
def test_a_hopeless_item_keeps_its_odds_and_its_gradient(operator):
    # The two items at the cut share the threshold, b = (6 + 4) / 2, and `F(z)` falls like `e^z`.
    survival = operator(tf.constant([6.0, 4.0, -9.0]), 1, temperature=0.01)
    assert survival.head[2] == 0
    np.testing.assert_allclose(survival.log_head[2], -1400 - (operator is lap_sum) * np.log(2), rtol=1e-6)
    (gradient,) = _gradient(lambda scores: operator(scores, 1, temperature=0.01).log_head[2], [6.0, 4.0, -9.0])
    np.testing.assert_allclose(gradient, [-50, -50, 100], rtol=1e-6)


@every_distribution
@pytest.mark.parametrize("list_size", [3, 1000, 100_000])
def test_sums_are_k_in_float32(operator, list_size):
    rng = np.random.default_rng(list_size)
    scores = np.stack([rng.normal(size=list_size) * 1e3, rng.integers(0, 4, size=list_size)])
    temperature = np.repeat(np.float32([[1e-30], [1e-4], [0.1], [10.0], [1e6]]), 2, axis=1)
    k = np.array([[list_size // 3, list_size - 1]] * 5)
    survival = operator(tf.constant([scores] * 5, tf.float32), tf.constant(k), temperature=temperature)
    head, tail = (np.exp(np.float64(log)).sum(-1) for log in survival)
    # The probabilities of the sparse operator have an absolute error instead.
    atol = 1e-7 * list_size if operator is sparse_top_k else 0
    np.testing.assert_allclose(head, k, rtol=1e-5, atol=atol)
    np.testing.assert_allclose(tail, list_size - k, rtol=1e-5, atol=atol)


def test_lap_sum_is_its_closed_form():
    # For k = 1 of two items at 1 and -1: F(1 - b) + F(-1 - b) = 1 by symmetry at b = 0.
    np.testing.assert_allclose(lap_sum([1.0, -1.0], 1).head, [1 - np.exp(-1) / 2, np.exp(-1) / 2], rtol=1e-6)
    # For k = 1 of [2, 0, 0], with `0 < b < 2` and `x = e^b`: 1 - x / (2e²) + 1/x = 1, so that x = √2·e.
    x = np.sqrt(2) * np.e
    np.testing.assert_allclose(lap_sum([2.0, 0.0, 0.0], 1).head, [1 - x / np.e**2 / 2, 0.5 / x, 0.5 / x], rtol=1e-6)


def test_the_sparse_top_k_is_exact_away_from_the_cut():
    scores = tf.constant([5.0, 2.0, 1.0, -3.0])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        survival = sparse_top_k(scores, 2, temperature=2.0)
        loss = survival.log_head[2] + survival.log_tail[0] + survival.log_head[3]
    np.testing.assert_allclose(survival.head, [1, 0.75, 0.25, 0], rtol=1e-6)
    np.testing.assert_allclose(survival.log_tail, [LOG_ZERO, np.log(0.25), np.log(0.75), 0], rtol=1e-6)
    # d ln p_3 = (ds_3 - db) / (temperature·p_3) with db = (ds_2 + ds_3) / 2; the others are fixed.
    np.testing.assert_allclose(tape.gradient(loss, scores), [0, -1, 1, 0], rtol=1e-6)
    assert (sparse_top_k(scores, 2, temperature=0.9).head.numpy() == [1, 1, 0, 0]).all()


def test_a_large_offset_costs_no_precision():
    scores = np.float32([1.0, 0.5, 0.25, 0.0])
    for operator in (*DISTRIBUTION, threshold_sigmoid):
        expected = operator(scores, 2, temperature=0.01)
        np.testing.assert_allclose(operator(scores + 2**20, 2, temperature=0.01).log_head, expected.log_head, rtol=1e-5)


def test_the_threshold_of_dftopk_moves_with_the_two_items_at_the_cut():
    (gradient,) = _gradient(lambda scores: threshold_sigmoid(scores, 2, temperature=2.0).head[0], [3.0, 1.0, 0.0, -1.0])
    p = 1 / (1 + np.exp(-(3 - 0.5) / 2))
    np.testing.assert_allclose(gradient, p * (1 - p) / 2 * np.array([1, -0.5, -0.5, 0]), rtol=1e-7)


def test_ties_share_the_threshold_of_dftopk():
    (gradient,) = _gradient(lambda scores: threshold_sigmoid(scores, 3).log_head[0], [3.0, 1.0, 1.0, 1.0, -1.0])
    np.testing.assert_allclose(gradient / gradient[0], [1, -1 / 3, -1 / 3, -1 / 3, 0], rtol=1e-7)
    (gradient,) = _gradient(lambda scores: threshold_sigmoid(scores, 2).log_head[0], [3.0, 1.0, 0.0, 0.0, -1.0])
    np.testing.assert_allclose(gradient / gradient[0], [1, -1 / 2, -1 / 4, -1 / 4, 0], rtol=1e-7)


@pytest.mark.parametrize("operator", [*DISTRIBUTION, threshold_sigmoid])
def test_no_gradient_where_all_or_none_survive(operator):
    scores, k = tf.constant([[3.0, 1.0, 0.0, -1.0]] * 4), tf.constant([-1, 0, 4, 9])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        survival = operator(scores, k)
        loss = tf.reduce_sum(survival.log_head) + tf.reduce_sum(survival.log_tail)
    none, every = np.full([2, 4], LOG_ZERO, np.float32), np.zeros([2, 4], np.float32)
    np.testing.assert_array_equal(survival.log_head, np.concatenate([none, every]))
    np.testing.assert_array_equal(survival.log_tail, np.concatenate([every, none]))
    assert (tape.gradient(loss, scores).numpy() == 0).all()
