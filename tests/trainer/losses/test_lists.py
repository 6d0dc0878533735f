import numpy as np
import pytest
import tensorflow as tf

from trainer.losses import lists


def test_ranks_put_what_is_left_out_last_and_ties_by_position():
    scores = tf.constant([[1.0, 9.0, 3.0, 1.0], [-1e38, 5.0, -2e38, 0.0]])
    where = tf.constant([[True, False, True, True], [True, False, True, False]])
    np.testing.assert_array_equal(lists.ranks(scores, where), [[1, 3, 0, 2], [0, 2, 1, 3]])


def test_has_both_and_has_order_look_at_real_items_only():
    where = tf.constant([[True, True, False], [True, True, False], [False, False, False]])
    ground_truth = tf.constant([[True, False, False], [True, True, False], [False, False, False]])
    np.testing.assert_array_equal(lists.has_both(ground_truth, where), [True, False, False])
    labels = tf.constant([[1, 2, 0], [3, 3, 0], [1, 2, 3]])
    np.testing.assert_array_equal(lists.has_order(labels, where), [True, False, False])


def test_better_pairs():
    pairs = lists.better_pairs(tf.constant([1, 3, 2, 1]), tf.constant([True, True, False, True]))
    np.testing.assert_array_equal(np.argwhere(pairs), [[1, 0], [1, 3]])


def test_means_ignore_what_does_not_count_even_if_not_finite():
    losses = tf.constant([[1.0, np.nan, 3.0], [np.inf, np.nan, 1.0], [5.0, 5.0, np.inf]])
    where = tf.constant([[True, False, True], [True, True, True], [True, True, False]])
    counted = tf.constant([True, False, True])
    assert float(lists.mean_over_lists(losses, where, counted)) == pytest.approx((2 + 5) / 2)
    assert float(lists.mean_of_lists(tf.constant([1.0, np.nan, 4.0]), counted)) == pytest.approx(2.5)
    assert float(lists.mean_over_lists(losses, where, tf.zeros([3], tf.bool))) == 0


def test_real_values_are_float32_unless_float64():
    where = tf.constant([True, False])
    for dtype, expected in [(tf.int64, tf.float32), (tf.bfloat16, tf.float32), (tf.float64, tf.float64)]:
        values = lists.real_values(tf.constant([3, 4], dtype), where)
        assert values.dtype == expected
        np.testing.assert_array_equal(values, [3, 0])
