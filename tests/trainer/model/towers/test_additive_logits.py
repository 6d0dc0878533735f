"""Attention logits by blocks against the formula on all pairs at once."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.model.towers.additive_logits import additive_logits


def _arrays(batch_size, num_items, num_events, num_units, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(batch_size, num_events, num_units), (batch_size, num_items, num_units), (num_units, 1)]
    return [tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes]


def _by_formula(events, items, kernel):
    hidden = tf.nn.relu(events[:, tf.newaxis] + items[:, :, tf.newaxis])
    return tf.einsum("bnlh,hk->bnl", hidden, kernel)


def _with_gradient(function, arguments):
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        logits = function(*arguments)
        weights = tf.sin(tf.cast(tf.range(tf.size(logits)), tf.float32) + 1)  # another for each logit
        loss = tf.reduce_sum(tf.reshape(weights, tf.shape(logits)) * logits)
    return logits, *tape.gradient(loss, arguments)


def _assert_close(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("jit_compile", [None, False, True])
@pytest.mark.parametrize("block_size", [1, 60, 130, None])  # 60 hidden units of each request; 7 requests
def test_logits_and_gradients_are_those_of_the_formula(block_size, jit_compile):
    arguments = _arrays(7, 3, 5, 4)

    def by_blocks(*arguments):
        return _with_gradient(lambda *a: additive_logits(*a, block_size=block_size), arguments)

    run = by_blocks if jit_compile is None else tf.function(by_blocks, jit_compile=jit_compile, autograph=False)
    _assert_close(run(*arguments), _with_gradient(_by_formula, arguments))


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 100), st.integers(0, 9)
)
def test_any_shape(batch_size, num_items, num_events, num_units, block_size, seed):
    arguments = _arrays(batch_size, num_items, num_events, num_units, seed)
    actual = _with_gradient(lambda *a: additive_logits(*a, block_size=block_size), arguments)
    _assert_close(actual, _with_gradient(_by_formula, arguments))


def test_literal():
    logits = additive_logits(
        tf.constant([[[1.0, -2.0]]]), tf.constant([[[2.0, 1.0], [-3.0, 4.0]]]), tf.constant([[10.0], [100.0]])
    )
    np.testing.assert_allclose(logits, [[[30.0], [200.0]]])  # relu(3), relu(-1); relu(-2), relu(2)


def test_no_requests():
    logits = tf.function(additive_logits, autograph=False)(*_arrays(0, 3, 5, 4))
    assert logits.shape == (0, 3, 5)


def test_shapes_known_only_when_it_runs():
    arguments = _arrays(7, 3, 5, 4)
    specs = [tf.TensorSpec([None, None, 4]), tf.TensorSpec([None, None, 4]), tf.TensorSpec([4, 1])]
    function = tf.function(lambda *a: additive_logits(*a, block_size=130), input_signature=specs, autograph=False)
    np.testing.assert_allclose(function(*arguments), _by_formula(*arguments), rtol=1e-5, atol=1e-5)


def test_no_second_derivative():
    arguments = _arrays(2, 3, 5, 4)
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        first = _with_gradient(additive_logits, arguments)[1]
    with pytest.raises(LookupError, match="no second derivative"):
        tape.gradient(first, arguments)
