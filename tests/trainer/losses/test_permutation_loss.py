import functools

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.permutation_loss import permutation_loss
from trainer.sorting.neural_sort import neural_sort_permutation
from trainer.sorting.soft_sort import soft_sort_permutation

every_permutation = pytest.mark.parametrize("permutation", [neural_sort_permutation, soft_sort_permutation])


def test_at_its_temperature_it_is_the_global_term_of_the_reference(reference):
    loss = functools.partial(permutation_loss, labels=reference.labels, temperature=200.0, epsilon=1e-6)
    reference.check("arf_global", lambda scores: sum(loss(s) for s in scores))


@every_permutation
def test_value_is_the_formula(permutation):
    scores, labels = np.array([0.5, 3.0, -1.0], np.float32), [2, 1, 1]
    soft = np.exp(permutation(scores, temperature=2.0))
    target = [[1, 0, 0], [0, 0.5, 0.5], [0, 0.5, 0.5]]
    expected = -np.sum(target * np.log(soft)) / 3**2
    loss = permutation_loss(
        tf.constant([[0.5, 9.0, 3.0, -1.0], [1.0, 2.0, 3.0, 4.0]]),
        tf.constant([[labels[0], 9, *labels[1:]], [1, 1, 1, 1]]),
        where=tf.constant([[True, False, True, True], [True] * 4]),
        temperature=2.0,
        permutation=permutation,
    )
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@every_permutation
def test_the_right_order_costs_nothing_and_the_wrong_one_much(permutation):
    labels = tf.constant([[3, 1, 2, 0]])
    loss = functools.partial(permutation_loss, labels=labels, temperature=0.05, permutation=permutation)
    assert float(loss(tf.cast(labels, tf.float32))) == pytest.approx(0, abs=1e-6)
    assert float(loss(-tf.cast(labels, tf.float32))) > 5
    bounded = loss(-tf.cast(labels, tf.float32), epsilon=1e-6)
    assert float(bounded) == pytest.approx(-np.log(1e-6) / 4, rel=1e-4)


def test_each_list_may_have_its_own_temperature():
    scores = np.random.default_rng(0).normal(size=[2, 5]).astype(np.float32)
    labels = np.tile(np.arange(5), [2, 1])
    together = permutation_loss(scores, labels, temperature=tf.constant([1.0, 30.0]))
    alone = [permutation_loss(scores[i : i + 1], labels[:1], temperature=t) for i, t in enumerate([1.0, 30.0])]
    assert float(together) == pytest.approx(np.mean(alone), rel=1e-5)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match=r"`temperature` must be positive. Received: temperature=0"):
        permutation_loss(tf.zeros([1, 2]), tf.zeros([1, 2]), temperature=0)
