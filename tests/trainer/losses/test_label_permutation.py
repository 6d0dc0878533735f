import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.losses.label_permutation import label_permutation
from trainer.sorting.neural_sort import neural_sort_permutation


def test_matrix_is_that_of_the_reference(reference):
    np.testing.assert_array_equal(label_permutation(reference.labels), reference["P_label_neuralsort"])


def test_ties_share_their_positions_and_padding_has_none():
    matrix = label_permutation(tf.constant([5, 1, 9, 1, 7]), where=tf.constant([True, True, False, True, True]))
    expected = [[0, 0, 0, 0, 1], [1, 0, 0, 0, 0], [0, 0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(matrix, expected)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8), st.integers(0, 10_000))
def test_it_is_the_cold_limit_of_neural_sort(labels, seed):
    where = np.random.default_rng(seed).random(len(labels)) < 0.8
    matrix = label_permutation(tf.constant(labels), where=where).numpy()
    cold = neural_sort_permutation(tf.constant(labels, tf.float32), where=where, temperature=1e-3)
    np.testing.assert_allclose(matrix, np.exp(cold), atol=1e-5)
    np.testing.assert_allclose(matrix.sum(axis=0), where, atol=1e-6)
    np.testing.assert_allclose(matrix.sum(axis=1), np.arange(len(labels)) < where.sum(), atol=1e-6)


@pytest.mark.parametrize("dtype", [tf.int64, tf.float32, tf.float64, tf.bfloat16])
def test_labels_of_any_type(dtype):
    matrix = label_permutation(tf.constant([1, 2], dtype))
    assert matrix.dtype == tf.float32
    np.testing.assert_array_equal(matrix, [[0, 1], [1, 0]])
