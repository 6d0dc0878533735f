"""The grid that every sorting operator passes."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.sorting.bitonic_network import bitonic_network
from trainer.sorting.odd_even_network import odd_even_network
from trainer.sorting.operators import OPERATORS
from trainer.sorting.perturbed_top_k import perturbed_top_k
from trainer.sorting.soft_rank import soft_rank
from trainer.sorting.threshold_sigmoid import threshold_sigmoid

pytestmark = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS.keys())


def _gradient(operator, scores, k, where, upstream):
    scores = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        survival = operator(scores, k, where=where, temperature=2.0)
        out = tf.where(where, survival.log_head, 0.0) - 3 * tf.where(where, survival.log_tail, 0.0)
        loss = tf.reduce_sum(upstream * tf.maximum(out, -1e9))
    return tape.gradient(loss, scores).numpy()


def test_a_cold_sort_is_the_hard_top_k(operator):
    # Swaps with Cauchy odds harden in proportion to the temperature only.
    temperature = 1e-8 if operator in (odd_even_network, bitonic_network) else 1e-3
    # The estimate counts one sample in 129 that keeps every item alike.
    atol = 1 / 129 if operator is perturbed_top_k else 1e-6
    survival = operator(tf.constant([0.3, -2.0, 5.0, 1.0]), 2, temperature=temperature)
    np.testing.assert_allclose(survival.head, [0, 0, 1, 1], atol=atol)
    np.testing.assert_allclose(survival.tail, [1, 1, 0, 0], atol=atol)


def test_ties_survive_equally(operator):
    head = operator(tf.zeros([5]), 2, temperature=1.0).head
    # A cut-off that scores or ranks are compared with one by one does not make the survivals sum to `k`.
    expected = head[0] if operator in (soft_rank, threshold_sigmoid) else 0.4
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
    padded = operator(scores, 2, where=where, temperature=2.0)
    compact = operator(scores[where], 2, temperature=2.0)
    np.testing.assert_allclose(padded.log_head.numpy()[where], compact.log_head, rtol=1e-5)
    np.testing.assert_allclose(padded.log_tail.numpy()[where], compact.log_tail, rtol=1e-5)
    assert (padded.head.numpy()[~where] == 0).all()
    assert (padded.tail.numpy()[~where] == 0).all()
    gradient = _gradient(operator, scores, 2, where, upstream)
    assert (gradient[~where] == 0).all()
    expected = _gradient(operator, scores[where], 2, np.ones(6, bool), upstream[where])
    np.testing.assert_allclose(gradient[where], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("k", [0, 1, 4, 9])
@pytest.mark.parametrize(
    "scores",
    [[1e4, -1e4, 1e4, 0.0], [7.0] * 4, [1e4, 1e4 + 1, 1e4 + 2, -1e4], [0.0, 1e-8, 1e-6, 1e-4]],
    ids=["extreme", "equal", "offset", "close"],
)
@pytest.mark.parametrize("valid", [4, 3, 1, 0])
def test_everything_is_finite(operator, scores, k, valid):
    where = np.arange(4) < valid
    survival = operator(tf.constant(scores), k, where=where, temperature=0.01)
    assert np.isfinite(survival.log_head).all()
    assert np.isfinite(survival.log_tail).all()
    np.testing.assert_allclose(survival.head + survival.tail, where.astype(float), atol=1e-5)
    gradient = _gradient(operator, scores, k, where, np.ones(4, np.float32))
    assert np.isfinite(gradient).all()
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
    scores = np.random.default_rng(4).normal(size=[3, 7]).astype(np.float32)
    where = np.arange(7) < np.array([[7], [4], [0]])
    compiled = tf.function(operator, jit_compile=jit_compile)
    head = compiled(tf.constant(scores), 3, where=tf.constant(where), temperature=5.0).head
    np.testing.assert_allclose(head, operator(scores, 3, where=where, temperature=5.0).head, rtol=1e-4, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_permuting_the_items_permutes_their_survival(operator, seed):
    rng = np.random.default_rng(seed)
    scores, order = rng.normal(size=8).astype(np.float32) * 4, rng.permutation(8)
    where = rng.random(8) < 0.8
    survival = operator(scores, 3, where=where, temperature=3.0).head.numpy()
    permuted = operator(scores[order], 3, where=where[order], temperature=3.0).head.numpy()
    np.testing.assert_allclose(permuted, survival[order], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [0, -1.0])
def test_temperature_must_be_positive(operator, temperature):
    with pytest.raises(ValueError, match=rf"`temperature` must be positive. Received: temperature={temperature}"):
        operator(tf.zeros([3]), 1, temperature=temperature)
