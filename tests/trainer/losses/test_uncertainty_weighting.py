import math

import pytest
import tensorflow as tf

from trainer.losses.uncertainty_weighting import uncertainty_weighted


def test_value_is_the_formula():
    loss = uncertainty_weighted(tf.constant([3.0, 0.5]), tf.constant([1.0, -2.0]))
    assert float(loss) == pytest.approx(0.5 * (3 * math.exp(-1) + 1) + 0.5 * (0.5 * math.exp(2) - 2))


def test_the_minimum_is_at_the_logarithm_of_the_loss():
    log_variances = tf.constant([math.log(3.0), math.log(0.5)])
    with tf.GradientTape() as tape:
        tape.watch(log_variances)
        loss = uncertainty_weighted(tf.constant([3.0, 0.5]), log_variances)
    assert tape.gradient(loss, log_variances).numpy() == pytest.approx([0, 0], abs=1e-6)
