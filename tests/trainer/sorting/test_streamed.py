"""NeuralSort and SoftSort summed over blocks of rows against the same operators with the whole matrix."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.sorting.neural_sort import neural_sort, neural_sort_permutation
from trainer.sorting.soft_sort import soft_sort, soft_sort_permutation
from trainer.sorting.streamed import DENSE_LIMIT
from trainer.sorting.survival import LOG_ZERO

operators = pytest.mark.parametrize("operator", [neural_sort, soft_sort])


def _with_gradient(operator, scores, k, *, where=None, temperature=1.0, upstream=None, **kwargs):
    scores = tf.convert_to_tensor(scores)
    upstream = np.random.default_rng(5).normal(size=[2, *scores.shape]) if upstream is None else upstream
    with tf.GradientTape() as tape:
        tape.watch(scores)
        survival = operator(scores, k, where=where, temperature=temperature, **kwargs)
        loss = tf.reduce_sum(tf.cast(upstream, scores.dtype) * tf.stack(survival))
    return survival.log_head, survival.log_tail, tape.gradient(loss, scores)


@operators
@pytest.mark.parametrize("list_size", [1, 2, 31, 32, 33, 70])
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_streamed_is_dense_in_value_and_gradient(operator, list_size, seed):
    rng = np.random.default_rng(seed)
    combinations = itertools.product([False, True], [0.01, 1.0, 50.0], [0.0, 0.1, 0.7, 1.0])
    tied, temperature, filled = (np.array(column).reshape(3, 8) for column in zip(*combinations, strict=True))
    scores = rng.normal(size=[3, 8, list_size]) * 4
    scores = np.where(tied[..., np.newaxis], np.round(scores), scores)
    arguments = {
        "k": rng.integers(0, list_size + 3, [3, 8]),  # per list, from none to more than there are
        "where": rng.random([3, 8, list_size]) < filled[..., np.newaxis],
        "temperature": temperature * rng.uniform(0.5, 2.0, [3, 8]),
    }
    dense = _with_gradient(operator, scores, **arguments, streamed=False)
    streamed = _with_gradient(operator, scores, **arguments, streamed=True)
    for expected, actual in zip(dense, streamed, strict=True):
        assert actual.dtype == tf.float64
        scale = np.max(np.abs(expected), axis=-1, keepdims=True, where=expected > LOG_ZERO / 2, initial=1.0)
        np.testing.assert_allclose(actual / scale, expected / scale, rtol=1e-9, atol=1e-8)
    assert (streamed[2].numpy()[~arguments["where"]] == 0).all()


@operators
@pytest.mark.parametrize("jit_compile", [False, True], ids=["tf.function", "xla"])
@pytest.mark.parametrize("list_size", [70, None], ids=["static", "unknown size"])
def test_compiled_equals_dense_in_float32(operator, jit_compile, list_size):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=[3, 70]).astype(np.float32)
    where = np.arange(70) < np.array([[70], [40], [0]])
    dense = _with_gradient(operator, scores, 7, where=where, temperature=20.0, streamed=False)
    upstream = np.random.default_rng(5).normal(size=[2, 3, 70])

    @tf.function(jit_compile=jit_compile, input_signature=[tf.TensorSpec([None, list_size])], autograph=False)
    def compiled(scores):
        return _with_gradient(
            operator,
            scores,
            7,
            where=where,
            temperature=20.0,
            upstream=upstream,
            streamed=None if list_size is None else True,
        )

    for expected, actual in zip(dense, compiled(scores), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


@operators
def test_gradient_of_the_head_is_its_slope_where_the_column_sum_does_not_move(operator):
    """`log_head - log_tail` is free of the constant column sum, so that finite differences see its whole slope."""
    list_size, step = 12, 1e-5
    lists = np.random.default_rng(1).normal(size=[2, 1, list_size])
    k, units = tf.constant([[3], [10]]), np.eye(list_size)

    def log_odds(scores):
        survival = operator(scores, tf.repeat(k, scores.shape[1], axis=1), temperature=10.0, streamed=True)
        return survival.log_head - survival.log_tail

    scores = tf.constant(np.repeat(lists, list_size, axis=1))  # once for each item whose odds are derived
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = tf.reduce_sum(units * log_odds(scores))
    theoretical = tape.gradient(loss, scores)  # of each list, the odds' items by the scores' items
    numerical = (log_odds(lists + step * units) - log_odds(lists - step * units)) / (2 * step)
    np.testing.assert_allclose(theoretical, np.swapaxes(numerical, 1, 2), rtol=1e-6, atol=1e-8)


@operators
def test_extreme_scores_are_finite(operator):
    scores = np.linspace(-1e4, 1e4, 40, dtype=np.float32)
    scores[::3] = 1e4
    k, temperature = np.meshgrid([0, 3, 40, 41], np.float32([1e-2, 1.0, 1e4]))
    scores = np.tile(scores, [*k.shape, 1])
    for value in _with_gradient(operator, scores, tf.constant(k), temperature=temperature, streamed=True):
        assert np.isfinite(value).all()


@operators
def test_temperature_receives_its_gradient(operator):
    scores, temperature = tf.random.stateless_normal([40], [1, 2], dtype=tf.float64), tf.constant(3.0, tf.float64)
    slopes = []
    for streamed in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(temperature)
            loss = operator(scores, 4, temperature=temperature, streamed=streamed).log_head[0]
        slopes.append(tape.gradient(loss, temperature))
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-11)


@operators
def test_second_derivatives_are_refused(operator):
    scores = tf.linspace(0.0, 1.0, 5)
    with tf.GradientTape() as outer:
        outer.watch(scores)
        slope = _with_gradient(operator, scores, 2, streamed=True)[2]
    with pytest.raises(LookupError, match="has no second derivative"):
        outer.gradient(slope, scores)


@operators
@pytest.mark.parametrize(("list_size", "streams"), [(DENSE_LIMIT, False), (DENSE_LIMIT + 1, True), (None, True)])
def test_long_lists_and_lists_of_unknown_length_are_streamed(operator, list_size, streams):
    graph = tf.function(
        lambda scores: operator(scores, 2).head, input_signature=[tf.TensorSpec([1, list_size])], autograph=False
    )
    kinds = {op.type for op in graph.get_concrete_function().graph.get_operations()}
    assert any("While" in kind for kind in kinds) == streams


@pytest.mark.parametrize("permutation", [neural_sort_permutation, soft_sort_permutation])
def test_permutation_matrix_is_that_of_the_compacted_list(permutation):
    scores, where = np.array([3.0, 7.0, 1.0, 2.0]), np.array([True, False, True, True])
    padded = permutation(scores, where=where, temperature=0.5).numpy()
    np.testing.assert_allclose(padded[:3][:, where], permutation(scores[where], temperature=0.5), rtol=1e-12)
    np.testing.assert_allclose(np.exp(padded).sum(axis=-1), [1, 1, 1, 0], rtol=1e-12)
    np.testing.assert_allclose(padded[:, 1], LOG_ZERO)
    np.testing.assert_allclose(padded[3], LOG_ZERO)
    cold = np.exp(permutation(scores, where=where, temperature=0.01))
    np.testing.assert_allclose(cold, [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]], atol=1e-12)
