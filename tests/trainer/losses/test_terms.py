import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.terms import log_plus, uncertainty_weighted


@pytest.mark.parametrize("epsilon", [1e-6, 0.5])
def test_log_plus_is_the_formula(epsilon):
    x = np.array([1e-30, 1e-6, 0.3, 1.0], np.float32)
    np.testing.assert_allclose(log_plus(tf.math.log(x), epsilon), np.log(x + epsilon), rtol=1e-5, atol=1e-6)


def test_epsilon_bounds_the_logarithm_of_zero():
    assert float(log_plus(tf.constant(-1e30), 1e-6)) == pytest.approx(math.log(1e-6))


def test_without_epsilon_it_is_the_logarithm():
    assert float(log_plus(tf.constant(-50.0), 0.0)) == -50


def test_uncertainty_weighting_is_the_formula():
    loss = uncertainty_weighted(tf.constant([3.0, 0.5]), tf.constant([1.0, -2.0]))
    assert float(loss) == pytest.approx(0.5 * (3 * math.exp(-1) + 1) + 0.5 * (0.5 * math.exp(2) - 2))


def test_the_minimum_is_at_the_logarithm_of_the_loss():
    log_variances = tf.constant([math.log(3.0), math.log(0.5)])
    with tf.GradientTape() as tape:
        tape.watch(log_variances)
        loss = uncertainty_weighted(tf.constant([3.0, 0.5]), log_variances)
    assert tape.gradient(loss, log_variances).numpy() == pytest.approx([0, 0], abs=1e-6)
