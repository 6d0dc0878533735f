import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.model.recall import Recall
from trainer.monitoring.survival_bound import survival_bound
from trainer.sorting.neural_sort import neural_sort

SCORES = tf.constant([[4.0, 3.0, 2.0, 1.0]]), tf.constant([[1.0, 3.0, 4.0, 2.0]])
HEADS = tf.constant([[0.9, 0.8, 0.2, 0.1]]), tf.constant([[0.1, 0.3, 0.5, 0.1]])


@pytest.mark.parametrize(
    ("ground_truth", "soft", "hard", "cascade"),
    [
        ([1], 0.8 * 0.3, 0.0, 1.0),  # rescued: the second stage's best, item 2, was cut by the first
        ([0], 0.9 * 0.1, 0.0, 0.0),
        ([2], 0.2 * 0.5, 0.0, 0.0),  # the second stage's best is within its capacity alone
        ([0, 1], (0.9 * 0.1 + 0.8 * 0.3) / 2, 0.0, 0.5),
    ],
)
def test_products_and_what_survives(ground_truth, soft, hard, cascade):
    """The first stage passes on 2 of 4 items, the second one of those."""
    mask = tf.constant([[item in ground_truth for item in range(4)]])
    bound = survival_bound(HEADS, SCORES, mask, capacities=[2, 1])
    expected = (soft, hard, cascade, soft / cascade if cascade else 0.0)
    assert [float(value) for value in bound] == pytest.approx(expected)


def test_lists_count_alike_and_those_without_ground_truth_not_at_all():
    scores = [tf.tile(each, [3, 1]) for each in SCORES]
    heads = [tf.tile(each, [3, 1]) for each in HEADS]
    mask = tf.constant([[False, True, False, False], [True, False, True, False], [False] * 4])
    bound = survival_bound(heads, scores, mask, capacities=[2, 1])
    assert float(bound.survival_product) == pytest.approx((0.24 + (0.09 + 0.1) / 2) / 2)
    assert float(bound.cascade_survival) == pytest.approx((1.0 + 0.0) / 2)


def test_padding_and_ground_truth_on_it_do_not_count():
    scores = [tf.concat([each, [[9.0, 8.0]]], -1) for each in SCORES]
    heads = [tf.concat([each, [[0.0, 0.0]]], -1) for each in HEADS]
    where = tf.constant([[True] * 4 + [False] * 2])
    mask = tf.constant([[False, True, False, False, True, False]])
    padded = survival_bound(heads, scores, mask, where=where, capacities=[2, 1])
    assert [float(value) for value in padded] == pytest.approx([0.24, 0.0, 1.0, 0.24])


def test_no_ground_truth_is_zero():
    bound = survival_bound(HEADS, SCORES, tf.zeros([1, 4], tf.bool), capacities=[2, 1])
    assert [float(value) for value in bound] == [0.0] * 4


@pytest.mark.parametrize("capacities", [(6, 3), (None, None), (5, None)])
def test_random_cascades(capacities):
    rng = np.random.default_rng(1)
    scores = [tf.constant(rng.normal(size=[200, 10]), tf.float32) for _ in range(2)]
    where = tf.constant(np.arange(10) < rng.integers(4, 11, [200, 1]))
    ground_truth = tf.constant(rng.random([200, 10]) < 0.3) & where
    size = tf.reduce_sum(tf.cast(ground_truth, tf.int32), axis=-1)
    sizes = [size if capacity is None else capacity for capacity in capacities]
    heads = [neural_sort(s, k, where=where, temperature=1e-6).head for s, k in zip(scores, sizes, strict=True)]
    bound = survival_bound(heads, scores, ground_truth, where=where, capacities=capacities)
    recall = Recall(capacities)
    recall.update_state(scores, ground_truth, where)
    assert float(bound.cascade_survival) == pytest.approx(float(recall.result()))
    assert float(bound.hard_product) <= float(bound.cascade_survival)
    assert math.isclose(float(bound.survival_product), float(bound.hard_product), abs_tol=1e-4)  # no softness left
