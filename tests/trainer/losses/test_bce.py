import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.bce import bce_loss


@pytest.mark.parametrize("reference", ["two_n40_seed0", "two_n40_seed1_scale10", "three_n50_seed0"], indirect=True)
def test_sum_of_stages_is_that_of_the_reference(reference):
    last_groups = {2: [3, 1], 3: [4, 3, 1]}[reference.num_stages]  # that a stage sees, the deepest group being 0

    def loss(scores):
        return sum(
            bce_loss(s, reference.ground_truth, where=reference.group <= last)
            for s, last in zip(scores, last_groups, strict=True)
        )

    reference.check("bce", loss)


def test_value_is_the_formula():
    scores = tf.constant([[1.0, -2.0, 9.0, 0.5], [3.0, 4.0, 9.0, 9.0], [1.0, 1.0, 1.0, 1.0]])
    ground_truth = [[True, False, True, False], [False, True, True, False], [False, False, True, False]]
    where = [[True, True, False, True], [True, True, False, False], [True, True, False, True]]
    first = -np.log(1 / (1 + np.exp(-1))) - np.log(1 / (1 + np.exp(-2))) - np.log(1 / (1 + np.exp(0.5)))
    second = -np.log(1 / (1 + np.exp(3))) - np.log(1 / (1 + np.exp(-4)))
    # The third list has its ground truth outside `where`, so it does not count.
    loss = bce_loss(scores, tf.constant(ground_truth), where=tf.constant(where))
    assert float(loss) == pytest.approx((first / 3 + second / 2) / 2, rel=1e-6)


def test_float64_stays():
    assert bce_loss(tf.constant([[1e-12, 0.0]], tf.float64), [[True, False]]).dtype == tf.float64
