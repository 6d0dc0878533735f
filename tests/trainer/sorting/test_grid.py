"""The grid that every sorting operator passes."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.model.recall import survivors
from trainer.sorting.operators import OPERATORS

pytestmark = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS.keys())

SUM_TO_K = {
    "odd_even_network",
    "bitonic_network",
    "sinkhorn",
    "fermi_dirac",
    "lap_sum",
    "sparse_top_k",
    "perturbed_top_k",
}
"""Operators that promise heads with the sum `k`."""
CUT_OFF = {"soft_rank", "threshold_sigmoid"}
"""Operators that compare scores or ranks one by one with a cut-off, so that ties survive equally but at any level."""
COLD = {"odd_even_network": 1e-8, "bitonic_network": 1e-8}
"""Temperatures of a hard sort other than 1e-3: swaps with Cauchy odds harden in proportion to the temperature only."""
HARD_ATOL = {"perturbed_top_k": 1 / 129}
"""Distances to a hard sort above 1e-6: the estimate counts one sample in 129 that keeps every item alike."""


def _cold(operator):
    return COLD.get(operator.__name__, 1e-3)


def _hard_atol(operator):
    return HARD_ATOL.get(operator.__name__, 1e-6)


def _distinct_scores(rng, *shape):
    """Returns scores whose lists hold no ties, in random order and at random distances of at least 1."""
    scores = np.cumsum(1 + rng.exponential(size=shape), axis=-1)
    return rng.permuted(scores, axis=-1).astype(np.float32)


def _survival_and_gradient(operator, scores, k, where, upstream, temperature):
    scores = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        survival = operator(scores, k, where=where, temperature=temperature)
        out = tf.where(where, survival.log_head, 0.0) - 3 * tf.where(where, survival.log_tail, 0.0)
        loss = tf.reduce_sum(upstream * tf.maximum(out, -1e9))
    return survival, tape.gradient(loss, scores).numpy()


def test_a_cold_sort_is_the_hard_top_k(operator):
    survival = operator(tf.constant([0.3, -2.0, 5.0, 1.0]), 2, temperature=_cold(operator))
    np.testing.assert_allclose(survival.head, [0, 0, 1, 1], atol=_hard_atol(operator))
    np.testing.assert_allclose(survival.tail, [1, 1, 0, 0], atol=_hard_atol(operator))


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10_000))
def test_a_cold_sort_of_any_list_is_the_hard_top_k(operator, seed):
    rng = np.random.default_rng(seed)
    scores, where, k = _distinct_scores(rng, 64, 7), rng.random([64, 7]) < 0.8, rng.integers(0, 9, size=64)
    survival = operator(scores, tf.constant(k), where=where, temperature=_cold(operator))
    rank = ((scores[:, np.newaxis] > scores[..., np.newaxis]) & where[:, np.newaxis]).sum(-1)  # 0 = best
    kept = where & (rank < k[:, np.newaxis])
    np.testing.assert_allclose(survival.head, kept, atol=_hard_atol(operator))
    np.testing.assert_allclose(survival.tail, where & ~kept, atol=_hard_atol(operator))


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_the_product_of_hard_stage_survivals_bounds_that_of_the_cascade(operator, seed, num_stages):
    rng = np.random.default_rng(seed)
    scores = _distinct_scores(rng, num_stages, 64, 9)
    where = rng.random([64, 9]) < 0.8
    capacities = -np.sort(-rng.integers(0, 10, size=[num_stages, 64]), axis=0)
    by_stage = np.broadcast_to(where, scores.shape)
    heads = operator(scores, tf.constant(capacities), where=by_stage, temperature=_cold(operator)).head
    delivered = survivors(list(scores), where, list(capacities)).numpy()
    assert (np.prod(heads, axis=0) <= delivered + _hard_atol(operator)).all()


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10_000))
def test_survivals_are_probabilities_and_sum_to_k_where_promised(operator, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=[64, 9]).round(1).astype(np.float32) * 10  # some are tied
    where, k = rng.random([64, 9]) < 0.8, rng.integers(0, 10, size=64)
    temperature = tf.constant(10.0 ** rng.uniform(-3, 3, size=64), tf.float32)
    survival = operator(scores, tf.constant(k), where=where, temperature=temperature)
    head, tail = (np.exp(np.float64(log)) for log in survival)
    np.testing.assert_allclose(head + tail, where, atol=1e-5)
    if operator.__name__ in SUM_TO_K:
        size = where.sum(-1)
        np.testing.assert_allclose(head.sum(-1), np.minimum(k, size), rtol=1e-4)
        np.testing.assert_allclose(tail.sum(-1), np.maximum(size - k, 0), rtol=1e-4)


def test_ties_survive_equally(operator):
    head = operator(tf.zeros([5]), 2, temperature=1.0).head
    expected = head[0] if operator.__name__ in CUT_OFF else 0.4
    np.testing.assert_allclose(head, [expected] * 5, rtol=1e-6)


def test_each_list_may_have_its_own_k_and_temperature(operator):
    scores = np.random.default_rng(1).normal(size=[3, 6]).astype(np.float32)
    sizes, temperatures = [1, 6, 4], [0.5, 1.0, 20.0]
    together = operator(scores, tf.constant(sizes), temperature=tf.constant(temperatures)).head
    for i, (k, temperature) in enumerate(zip(sizes, temperatures, strict=True)):
        alike = operator(scores, k, temperature=temperature).head
        np.testing.assert_allclose(alike[i], together[i], rtol=1e-5)
    np.testing.assert_allclose(together[1], np.ones(6), rtol=1e-6)


def test_padded_equals_compacted(operator):
    rng = np.random.default_rng(2)
    scores = rng.normal(size=9).astype(np.float32) * 3
    where = np.array([1, 0, 1, 1, 0, 0, 1, 1, 1], bool)
    upstream = rng.normal(size=9).astype(np.float32)
    scores[~where] = [1e30, -1e30, np.nan]
    padded, gradient = _survival_and_gradient(operator, scores, 2, where, upstream, 2.0)
    compact, expected = _survival_and_gradient(operator, scores[where], 2, np.ones(6, bool), upstream[where], 2.0)
    np.testing.assert_allclose(padded.log_head.numpy()[where], compact.log_head, rtol=1e-5)
    np.testing.assert_allclose(padded.log_tail.numpy()[where], compact.log_tail, rtol=1e-5)
    assert (padded.head.numpy()[~where] == 0).all()
    assert (padded.tail.numpy()[~where] == 0).all()
    assert (gradient[~where] == 0).all()
    np.testing.assert_allclose(gradient[where], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16, tf.bfloat16], ids=lambda dtype: dtype.name)
def test_everything_is_finite(operator, dtype):
    k, temperature = tf.constant([0, 1, 4, 9]), tf.constant([0.01, 2.0])
    extreme, equal = [1e4, -1e4, 1e4, 0.0], [7.0] * 4
    offset, close = [1e4, 1e4 + 1, 1e4 + 2, -1e4], [0.0, 1e-8, 1e-6, 1e-4]
    lists = tf.constant([extreme, equal, offset, close], dtype)
    scores = tf.tile(
        lists[tf.newaxis, tf.newaxis, :, tf.newaxis], [2, 4, 1, 4, 1]
    )  # by temperature, k, list and number of items
    k = tf.broadcast_to(k[:, tf.newaxis, tf.newaxis], scores.shape[:-1])
    temperature = tf.broadcast_to(temperature[:, tf.newaxis, tf.newaxis, tf.newaxis], scores.shape[:-1])
    where = np.broadcast_to(np.arange(4) < np.array([4, 3, 1, 0])[:, np.newaxis], scores.shape)
    survival, gradient = _survival_and_gradient(operator, scores, k, where, np.ones(4, np.float32), temperature)
    assert np.isfinite(survival.log_head).all()
    assert np.isfinite(survival.log_tail).all()
    np.testing.assert_allclose(survival.head + survival.tail, where.astype(float), atol=1e-5)
    for whole in (0, 9):
        assert np.isfinite(operator(lists, whole, temperature=0.01).log_head).all()
    assert np.isfinite(gradient.astype(np.float32)).all()
    assert (gradient[~where] == 0).all()


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_is_computed_in_float32(operator, dtype):
    scores = tf.constant([[300.0, -200.0, 0.5, 7.0]], dtype)
    survival = operator(scores, 2, temperature=0.1)
    assert survival.log_head.dtype == tf.float32
    np.testing.assert_allclose(survival.head, operator(tf.cast(scores, tf.float32), 2, temperature=0.1).head)


def test_leading_batch_dimensions(operator):
    scores = np.random.default_rng(3).normal(size=[2, 3, 5]).astype(np.float32)
    k = np.array([[1, 2, 3], [4, 5, 0]])
    head = operator(scores, tf.constant(k)).head
    flat = operator(scores.reshape(6, 5), tf.constant(k.reshape(6))).head
    np.testing.assert_allclose(head, tf.reshape(flat, [2, 3, 5]), rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["tf.function", "xla"])
def test_compiled_equals_eager(operator, jit_compile):
    rng = np.random.default_rng(4)
    scores, upstream = (tf.constant(rng.normal(size=[3, 7]), tf.float32) for _ in range(2))
    where = tf.constant(np.arange(7) < np.array([[7], [4], [0]]))

    def survival_and_gradient(scores):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            survival = operator(scores, 3, where=where, temperature=5.0)
            total = tf.reduce_sum(upstream * tf.where(where, survival.log_head - 2 * survival.log_tail, 0.0))
        return survival.head, survival.tail, tape.gradient(total, scores)

    compiled = tf.function(survival_and_gradient, jit_compile=jit_compile, autograph=False)(scores)
    for result, expected in zip(compiled, survival_and_gradient(scores), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10_000))
def test_permuting_the_items_permutes_their_survival(operator, seed):
    rng = np.random.default_rng(seed)
    scores, order = rng.normal(size=[32, 8]).astype(np.float32) * 4, rng.permutation(8)
    where = rng.random([32, 8]) < 0.8
    survival = operator(scores, 3, where=where, temperature=3.0)
    permuted = operator(scores[:, order], 3, where=where[:, order], temperature=3.0)
    np.testing.assert_allclose(permuted.head, survival.head.numpy()[:, order], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(permuted.tail, survival.tail.numpy()[:, order], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [0, -1.0])
def test_temperature_must_be_positive(operator, temperature):
    with pytest.raises(ValueError, match=rf"`temperature` must be positive. Received: temperature={temperature}"):
        operator(tf.zeros([3]), 1, temperature=temperature)
