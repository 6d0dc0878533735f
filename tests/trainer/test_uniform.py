import numpy as np
import pytest
import tensorflow as tf

from trainer.uniform import stateless_uniform


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_draws_are_tensorflows_own_and_those_of_xla(dtype, jit_compile):
    seed = tf.constant([17, 2**40], tf.int64)
    draw = tf.function(lambda: stateless_uniform([50, 7], seed, dtype), jit_compile=jit_compile, autograph=False)
    expected = tf.random.stateless_uniform([50, 7], seed, dtype=dtype)
    np.testing.assert_array_equal(draw(), expected)
    assert draw().dtype == dtype


def test_a_row_is_the_same_whatever_comes_after_it():
    np.testing.assert_array_equal(stateless_uniform([9, 4], (1, 2))[:5], stateless_uniform([5, 4], (1, 2)))
