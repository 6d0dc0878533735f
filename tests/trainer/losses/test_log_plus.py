import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.log_plus import log_plus


@pytest.mark.parametrize("epsilon", [1e-6, 0.5])
def test_value_is_the_formula(epsilon):
    x = np.array([1e-30, 1e-6, 0.3, 1.0], np.float32)
    np.testing.assert_allclose(log_plus(tf.math.log(x), epsilon), np.log(x + epsilon), rtol=1e-5, atol=1e-6)


def test_epsilon_bounds_the_logarithm_of_zero():
    assert float(log_plus(tf.constant(-1e30), 1e-6)) == pytest.approx(math.log(1e-6))


def test_without_epsilon_it_is_the_logarithm():
    assert float(log_plus(tf.constant(-50.0), 0.0)) == -50
