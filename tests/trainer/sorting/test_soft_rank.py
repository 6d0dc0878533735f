"""Soft ranks against the projection that defines them."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.sorting.soft_rank import soft_rank


def _ranks(scores, **arguments):
    """Returns the soft ranks that the survivals were computed from."""
    survival = soft_rank(tf.constant(scores), 2, rank_temperature=1.0, **arguments)
    return 2.5 - (survival.log_head - survival.log_tail).numpy()


def _isotonic(values):
    """Returns the non-increasing regression by its min-max formula."""
    mean = [[np.mean(values[i : j + 1]) if i <= j else None for j in range(len(values))] for i in range(len(values))]
    size = len(values)
    return np.array([min(max(mean[i][j] for j in range(r, size)) for i in range(r + 1)) for r in range(size)])


def test_known_projections():
    np.testing.assert_allclose(_ranks([3.0, 1.0, 0.0], temperature=0.5), [1, 2, 3], rtol=1e-6)
    np.testing.assert_allclose(_ranks([1.0, 1.0, 0.0], temperature=0.5), [1.5, 1.5, 3], rtol=1e-6)
    # One block: the mean rank 2 less (s - 1) / temperature.
    np.testing.assert_allclose(_ranks([2.0, 1.0, 0.0], temperature=4.0), [1.75, 2, 2.25], rtol=1e-6)
    # The first two form a block around rank 1.5, the last stands apart.
    np.testing.assert_allclose(_ranks([5.5, 5.0, 0.0], temperature=1.0), [1.25, 1.75, 3], rtol=1e-6)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_ranks_are_those_of_the_isotonic_regression(seed):
    rng = np.random.default_rng(seed)
    scores, temperature = rng.normal(size=15), 2.0 ** rng.integers(-6, 4)
    order = np.argsort(-scores)
    scaled = scores[order] / temperature
    expected = _isotonic(scaled + np.arange(1, 16)) - scaled
    np.testing.assert_allclose(_ranks(scores, temperature=temperature)[order], expected, rtol=1e-9)


def test_long_lists_are_pooled_in_rounds():
    # Gaps that shrink again and again set off merge after merge.
    scores = -np.sqrt(np.arange(300.0)) - np.random.default_rng(0).uniform(0, 0.02, 300)
    order = np.argsort(-scores)
    scaled = scores[order] / 0.125
    expected = _isotonic(scaled + np.arange(1, 301)) - scaled
    np.testing.assert_allclose(_ranks(scores, temperature=0.125)[order], expected, rtol=1e-9)


def test_float32_ranks_are_exact_where_scores_are_huge():
    ranks = _ranks(np.float32([1e4, -1e4, 1e4, 9999.0]), temperature=1e-3)
    np.testing.assert_allclose(ranks, [1.5, 4, 1.5, 3], rtol=1e-6)


def test_survival_is_the_sigmoid_of_the_rank():
    scores = tf.constant([5.5, 5.0, 0.0])
    expected = 1 / (1 + np.exp((np.array([1.25, 1.75, 3]) - 1.5) / 0.3))
    survival = soft_rank(scores, 1, temperature=1.0, rank_temperature=0.3)
    np.testing.assert_allclose(survival.head, expected, rtol=1e-5)
    np.testing.assert_allclose(survival.tail, 1 - expected, rtol=1e-5)
    by_list = soft_rank([scores, scores], [1, 1], temperature=1.0, rank_temperature=tf.constant([0.3, 1.0]))
    np.testing.assert_allclose(by_list.head[0], expected, rtol=1e-5)


@pytest.mark.parametrize(("temperature", "rank_temperature"), [(0.25, 0.25), (8.0, 1.0)])
def test_rank_temperature_follows_the_temperature_up_to_one_rank(temperature, rank_temperature):
    scores = tf.constant([0.3, 2.0, 0.4, -1.0])
    default = soft_rank(scores, 2, temperature=temperature)
    given_it = soft_rank(scores, 2, temperature=temperature, rank_temperature=rank_temperature)
    np.testing.assert_array_equal(default.log_head, given_it.log_head)


def test_gradient_is_that_of_the_projection():
    scores, step = np.array([2.0, -0.3, 1.4, 0.1, 0.3, -5.0]), 1e-6
    weights = np.array([1.0, -2.0, 0.5, 3.0, 1.0, 4.0])
    variable = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        loss = tf.reduce_sum(weights * soft_rank(variable, 2, temperature=0.5).log_head)

    def value(shifted):
        order = np.argsort(-shifted)
        scaled = shifted[order] / 0.5
        rank = _isotonic(scaled + np.arange(1, 7)) - scaled
        return -np.sum(weights[order] * np.log1p(np.exp((rank - 2.5) / 0.5)))

    expected = [(value(scores + step * unit) - value(scores - step * unit)) / (2 * step) for unit in np.eye(6)]
    gradient = tape.gradient(loss, variable)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)
    assert gradient[5] == 0  # alone, so its rank is the hard one


def test_xla_gives_the_same_gradient():
    scores = tf.random.stateless_normal([3, 20], (0, 1))
    where = tf.sequence_mask([20, 7, 0], 20)

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(scores)
            survival = soft_rank(scores, 5, where=where, temperature=0.3)
            loss = tf.reduce_sum(tf.where(where, survival.head * tf.range(20.0), 0))
        return tape.gradient(loss, scores)

    np.testing.assert_allclose(
        tf.function(gradient, jit_compile=True, autograph=False)(), gradient(), rtol=1e-4, atol=1e-5
    )


def test_rank_temperature_must_be_positive():
    with pytest.raises(ValueError, match=r"`rank_temperature` must be positive. Received: rank_temperature=0"):
        soft_rank(tf.zeros([3]), 1, rank_temperature=0)
