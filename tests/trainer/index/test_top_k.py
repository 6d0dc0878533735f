"""The best by blocks are the best."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.index.top_k import blocked_top_k


@settings(max_examples=150, deadline=None)
@given(
    batch_size=st.integers(1, 3),
    num_scores=st.integers(1, 700),
    size=st.integers(0, 800),
    num_values=st.integers(1, 1000),
    seed=st.integers(0, 2**16),
)
def test_it_is_top_k_with_equal_scores_too(batch_size, num_scores, size, num_values, seed):
    scores = np.random.default_rng(seed).integers(num_values, size=(batch_size, num_scores)).astype(np.float32)
    best, column = blocked_top_k(tf.constant(scores), size)
    expected_best, expected_column = tf.math.top_k(scores, min(size, num_scores))
    np.testing.assert_array_equal(best, expected_best)
    np.testing.assert_array_equal(column, expected_column)


def test_it_takes_shapes_that_the_graph_does_not_know():
    function = tf.function(
        blocked_top_k, input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([], tf.int32)], autograph=False
    )
    scores = tf.constant([[float(n % 101) for n in range(300)]])
    best, column = function(scores, 4)
    assert best.numpy().tolist() == [[100.0, 100.0, 99.0, 99.0]]
    assert column.numpy().tolist() == [[100, 201, 99, 200]]
