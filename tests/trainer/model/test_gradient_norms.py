import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.model.gradient_norms import gradient_norms, summed_rows


def test_norms_by_group_and_of_all():
    table = tf.IndexedSlices(tf.constant([[1.0, 2.0], [2.0, 4.0]]), tf.constant([7, 2]), tf.constant([9, 2]))
    norms = gradient_norms({"retrieval": [tf.constant([3.0]), tf.constant([[4.0]])], "ranking": [table], "none": []})
    expected = {"retrieval": 5.0, "ranking": 5.0, "none": 0.0, "global": math.sqrt(50)}
    assert {name: float(norm) for name, norm in norms.items()} == pytest.approx(expected)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_shows_in_its_group_and_in_all(bad):
    norms = gradient_norms({"retrieval": [tf.constant([1.0])], "ranking": [tf.constant([1.0, bad])]})
    assert float(norms["retrieval"]) == 1.0
    assert not math.isfinite(float(norms["ranking"]))
    assert not math.isfinite(float(norms["global"]))


def test_half_precision_gradients_have_norms_beyond_its_range():
    gradient = tf.fill([100], tf.constant(1000.0, tf.float16))
    assert float(gradient_norms({"stage": [gradient]})["stage"]) == pytest.approx(10_000, rel=1e-6)


def test_rows_that_come_twice_are_summed():
    slices = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([3, 0, 3]), tf.constant([5, 1]))
    summed = summed_rows(slices)
    np.testing.assert_array_equal(summed.indices, [3, 0])
    np.testing.assert_array_equal(summed.values, [[5.0], [2.0]])
    np.testing.assert_array_equal(tf.convert_to_tensor(summed), tf.convert_to_tensor(slices))


def test_a_dense_gradient_stays():
    gradient = tf.constant([1.0])
    assert summed_rows(gradient) is gradient
