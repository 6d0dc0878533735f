"""Optimal transport to quota bins."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.sorting.fermi_dirac import fermi_dirac
from trainer.sorting.sinkhorn import quota_transport, sinkhorn
from trainer.sorting.survival import LOG_ZERO


@tf.function  # one loop of a graph: eagerly its steps are thousands of calls
def _unrolled(scores, sizes, temperature, num_steps=300):
    """Returns the log-transport of one list by Sinkhorn's iterations, all of which the gradient passes through."""
    target = tf.range(len(sizes) - 1, -1, -1, tf.float64)[:, tf.newaxis]
    logits = 2 * scores * target / temperature
    potential = tf.zeros([len(sizes), 1], tf.float64)
    for _ in tf.range(num_steps):
        log_p = tf.nn.log_softmax(logits + potential, axis=0)
        potential += np.log(np.float64(sizes))[:, np.newaxis] - tf.reduce_logsumexp(log_p, axis=1, keepdims=True)
    return tf.nn.log_softmax(logits + potential, axis=0)


def _value_and_gradients(function, upstream, scores, temperature):
    scores, temperature = tf.constant(scores, tf.float64), tf.constant(temperature, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch([scores, temperature])
        value = function(scores, temperature)
        loss = tf.reduce_sum(upstream * value)
    return value, *tape.gradient(loss, [scores, temperature])


@pytest.mark.parametrize("sizes", [(2, 5), (2, 3, 2), (1, 1, 4, 1)])
@pytest.mark.parametrize("temperature", [2.0, 20.0])
def test_value_and_gradients_are_those_of_unrolled_iterations(sizes, temperature):
    rng = np.random.default_rng(len(sizes))
    scores, upstream = rng.normal(size=7), rng.normal(size=[len(sizes), 7])
    expected = _value_and_gradients(lambda s, t: _unrolled(s, sizes, t), upstream, scores, temperature)
    actual = _value_and_gradients(
        lambda s, t: quota_transport(s, sizes[:-1], temperature=t), upstream, scores, temperature
    )
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("num_bins", [2, 3, 4, 5])
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_margins_are_met(num_bins, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=[48, 12]).round(1).astype(np.float32)  # some are tied
    where = rng.random([48, 12]) < 0.8
    sizes = rng.multinomial(10, np.ones(num_bins) / num_bins, size=48)
    temperature = tf.constant(10.0 ** rng.uniform(-5, 5, size=48), tf.float32)
    log_p = quota_transport(scores, tf.constant(sizes[:, :-1]), where=where, temperature=temperature)
    p = np.exp(np.float64(log_p))
    ends = np.minimum(sizes.cumsum(-1), where.sum(-1, keepdims=True))
    ends[:, -1] = where.sum(-1)
    np.testing.assert_allclose(p.sum(-1), np.diff(ends, axis=-1, prepend=0), rtol=1e-5)
    np.testing.assert_allclose(p.sum(-2), where, rtol=1e-5)


@pytest.mark.parametrize("temperature", [1e-4, 0.1, 10.0, 1e6])
def test_margins_of_a_long_list_are_met_in_float32(temperature):
    rng = np.random.default_rng(0)
    scores = np.stack([rng.normal(size=100_000) * 1e3, rng.integers(0, 4, size=100_000)]).astype(np.float32)
    p = np.exp(np.float64(quota_transport(scores, [100, 900, 9_000], temperature=temperature)))
    np.testing.assert_allclose(p.sum(-1), [[100, 900, 9_000, 90_000]] * 2, rtol=1e-5)
    np.testing.assert_allclose(p.sum(-2), 1, rtol=1e-6)


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_two_bins_are_fermi_dirac_at_half_the_temperature(seed):
    rng = np.random.default_rng(seed)
    scores, upstream = rng.normal(size=[24, 9]), rng.normal(size=[2, 24, 9])
    where, k = rng.random([24, 9]) < 0.8, rng.integers(0, 10, size=24)

    def logs(operator):
        def function(scores, temperature):
            survival = tf.stack(operator(scores, tf.constant(k), where=where, temperature=temperature))
            return tf.where(survival > LOG_ZERO, survival, 0)

        return function

    temperature = 10 ** rng.uniform(-3, 3, size=24)
    value, by_scores, _ = _value_and_gradients(logs(sinkhorn), upstream, scores, 2 * temperature)
    expected, expected_by_scores, _ = _value_and_gradients(logs(fermi_dirac), upstream, scores, temperature)
    np.testing.assert_allclose(value, expected, rtol=1e-7, atol=1e-9)
    scale = np.maximum(1, np.abs(expected_by_scores).max(axis=-1, keepdims=True))
    np.testing.assert_allclose(by_scores / scale, expected_by_scores / scale, rtol=1e-6, atol=1e-7)


def test_a_cold_transport_sorts_into_bins():
    p = tf.exp(quota_transport([0.3, 5.0, -2.0, 1.0, 4.0], [1, 2], temperature=1e-3))
    np.testing.assert_allclose(p, [[0, 1, 0, 0, 0], [0, 0, 0, 1, 1], [1, 0, 1, 0, 0]], atol=1e-6)


def test_a_bin_without_quota_or_without_items_stays_empty():
    scores = tf.constant([2.0, 0.0, 1.0])
    with_empty_bins = quota_transport(scores, [0, 1, 0, 2, 5])
    empty = np.full(3, LOG_ZERO, np.float32)
    # The targets of the two filled bins are 2 apart, as at half the temperature.
    expected = quota_transport(scores, [1], temperature=0.5).numpy()
    np.testing.assert_allclose(with_empty_bins, [empty, expected[0], empty, expected[1], empty, empty], rtol=1e-5)


def test_the_bins_of_a_cascade_are_nested_survivals():
    # Two stages keep 4 and 2 of 6, and their cuts are far apart: each is a top-k of its own.
    scores = tf.constant([9.0, 8.0, 7.5, 0.0, -1.0, -9.0])
    p = tf.exp(quota_transport(scores, [2, 2], temperature=1.0))
    np.testing.assert_allclose(p[0], sinkhorn(scores, 2).head, atol=1e-5)
    np.testing.assert_allclose(p[0] + p[1], sinkhorn(scores, 4).head, atol=1e-5)


def test_padding_takes_no_place():
    rng = np.random.default_rng(0)
    scores, upstream = rng.normal(size=8), rng.normal(size=[3, 8])
    where = np.array([1, 0, 1, 1, 1, 0, 1, 1], bool)
    scores[~where] = [np.nan, 1e30]

    def transport(where):
        return lambda scores, temperature: quota_transport(scores, [1, 2], where=where, temperature=temperature)

    value, by_scores, _ = _value_and_gradients(transport(where), np.where(where, upstream, 0), scores, 1.0)
    expected, expected_by_scores, _ = _value_and_gradients(transport(None), upstream[:, where], scores[where], 1.0)
    assert (value.numpy()[:, ~where] == LOG_ZERO).all()
    np.testing.assert_allclose(value.numpy()[:, where], expected, rtol=1e-9)
    assert (by_scores.numpy()[~where] == 0).all()
    np.testing.assert_allclose(by_scores.numpy()[where], expected_by_scores, rtol=1e-9)


def test_xla_gives_the_same_gradient():
    scores = tf.random.stateless_normal([3, 10], (0, 1))
    where = tf.sequence_mask([10, 6, 1], 10)

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(scores)
            p = tf.exp(quota_transport(scores, [2, 3], where=where))
            loss = tf.reduce_sum(p * tf.reshape(tf.sin(tf.range(30.0)), [3, 1, 10]) * [[0.0], [1.0], [3.0]])
        return tape.gradient(loss, scores)

    np.testing.assert_allclose(
        tf.function(gradient, jit_compile=True, autograph=False)(), gradient(), rtol=1e-4, atol=1e-6
    )


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match=r"`temperature` must be positive. Received: temperature=-1.0"):
        quota_transport(tf.zeros([3]), [1, 1], temperature=-1.0)
