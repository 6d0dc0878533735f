import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.losses.lcron import e2e_loss, lcron_loss, single_loss
from trainer.model.recall import survivors
from trainer.sorting.neural_sort import neural_sort
from trainer.sorting.soft_sort import soft_sort

EPSILON = 1e-6  # the reference adds it inside its logarithms


def _negative_weight(reference):
    """With three stages the reference counts each negative as often as its group of ties is large."""
    return float(reference["sizes"][-1]) if reference.num_stages == 3 else 1.0


def test_terms_are_those_of_the_reference(reference):
    reference.check("lcron_joint", lambda scores: e2e_loss(scores, reference.ground_truth, epsilon=EPSILON))
    for index, stage in enumerate(reference.stages):

        def single(scores, index=index):
            negative_weight = _negative_weight(reference)
            return single_loss(scores[index], reference.ground_truth, negative_weight=negative_weight, epsilon=EPSILON)

        reference.check(f"lcron_single_{stage}", single)


@pytest.mark.parametrize("suffix", ["", "_w"])
def test_total_is_that_of_the_reference(reference, suffix):
    _check_total(reference, f"lcron{suffix}", neural_sort)
    if reference.num_stages == 2:
        _check_total(reference, f"lcron_softsort{suffix}", soft_sort)


def _check_total(reference, key, operator):
    weights = reference[f"{key}__weights"][::-1]  # stored last stage first
    log_variances = tf.constant(2 * np.log(weights), tf.float32)

    def total(scores):
        return lcron_loss(
            scores,
            reference.ground_truth,
            log_variances=log_variances,
            operator=operator,
            negative_weight=_negative_weight(reference),
            epsilon=EPSILON,
        ).total

    reference.check(key, total)
    with tf.GradientTape() as tape:
        tape.watch(log_variances)
        loss = total(reference.scores)
    expected = reference[f"{key}__grad_weights"][::-1] * weights / 2  # dL/da = dL/dw · dw/da, w = exp(a/2)
    np.testing.assert_allclose(tape.gradient(loss, log_variances), expected, rtol=1e-4, atol=1e-5)


def test_single_loss_is_the_formula():
    scores, ground_truth = tf.constant([[2.0, -1.0, 0.5]]), np.array([[True, False, False]])
    survival = neural_sort(scores, 1, temperature=3.0)
    head, tail = survival.head.numpy()[0], survival.tail.numpy()[0]
    expected = -(math.log(head[0]) + 5 * math.log(tail[1]) + 5 * math.log(tail[2])) / 3
    loss = single_loss(scores, ground_truth, temperature=3.0, negative_weight=5.0)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_e2e_loss_is_the_formula_at_its_capacities():
    rng = np.random.default_rng(0)
    scores = [tf.constant(rng.normal(size=[1, 5]), tf.float32) for _ in range(3)]
    ground_truth = np.array([[False, True, False, False, True]])
    heads = [neural_sort(s, k, temperature=2.0).head for s, k in zip(scores, [4, 3, 2], strict=True)]
    product = np.prod(heads, axis=0)
    expected = -np.where(ground_truth, np.log(product), np.log(1 - product)).mean()
    loss = e2e_loss(scores, ground_truth, capacities=[4, 3, None], temperature=2.0)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [np.int64, tf.constant, lambda capacity: tf.constant([capacity])])
def test_end_to_end_term_of_the_total_is_at_its_capacities(kind):
    rng = np.random.default_rng(0)
    scores = [tf.constant(rng.normal(size=[1, 5]), tf.float32) for _ in range(2)]
    ground_truth = np.array([[False, True, False, False, True]])
    expected = e2e_loss(scores, ground_truth, capacities=[4, 3])
    loss = lcron_loss(scores, ground_truth, capacities=[kind(4), kind(3)])
    assert float(loss.end_to_end) == pytest.approx(float(expected), rel=1e-6)


HARD_SCORES = {"extreme": [1e4, -1e4, 1e4, 0.0, -5.0], "equal": [2.0] * 5, "offset": [1e4, 1e4 + 1, 1e4 + 2, -1e4, 0.0]}


@pytest.mark.parametrize("capacities", [None, [3, 2], [3, None], [99, 99]])
def test_loss_and_gradients_are_finite_and_zero_on_padding(capacities):
    lists = itertools.product(HARD_SCORES.values(), [5, 2, 0], [0, 1, 5])
    scores, num_valid, num_positives = (np.array(column) for column in zip(*lists, strict=True))
    where, ground_truth = (np.arange(5) < count[:, np.newaxis] for count in (num_valid, num_positives))
    teaches = (num_positives > 0) & (num_positives < num_valid)  # has ground truth and negatives
    stages = [tf.constant(scores, tf.float32), tf.constant(scores[:, ::-1], tf.float32)]
    with tf.GradientTape() as tape:
        tape.watch(stages)
        loss = lcron_loss(stages, ground_truth, where=where, capacities=capacities)
    assert np.isfinite(loss.total)
    assert capacities != [99, 99] or float(loss.end_to_end) == 0
    for gradient in tape.gradient(loss.total, stages):
        assert np.isfinite(gradient).all()
        assert (gradient.numpy()[~where] == 0).all()
        assert (gradient.numpy()[~teaches] == 0).all()
    others = [stage[~teaches] for stage in stages]
    nothing = lcron_loss(others, ground_truth[~teaches], where=where[~teaches], capacities=capacities)
    assert float(nothing.total) == float(nothing.end_to_end) == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_product_of_survivals_is_at_most_the_survival_of_the_cascade(seed, num_stages):
    rng = np.random.default_rng(seed)
    scores = [rng.permutation(8).astype(np.float32)[np.newaxis] for _ in range(num_stages)]
    capacities = sorted(rng.integers(1, 9, size=num_stages).tolist(), reverse=True)
    heads = [neural_sort(s, k, temperature=1e-3).head.numpy() for s, k in zip(scores, capacities, strict=True)]
    delivered = survivors(scores, tf.ones([1, 8], tf.bool), capacities).numpy()
    assert (np.prod(heads, axis=0) <= delivered + 1e-5).all()


def test_scores_in_float64_take_weights_in_float32():
    scores, weights = [tf.constant([[1.0, 2.0, 3.0]], tf.float64)] * 2, {"log_variances": tf.zeros([2])}
    total = lcron_loss(scores, [[True, False, False]], end_to_end_log_variance=tf.zeros([]), **weights).total
    expected = lcron_loss(scores, [[True, False, False]], end_to_end_weight=0.5).total
    assert total.dtype == tf.float64
    assert float(total) == pytest.approx(float(expected), rel=1e-12)


def test_epsilon_bounds_the_loss():
    scores = [tf.constant([[-1e4, 1e4, 0.0, 0.0]])]
    ground_truth = [[True, False, False, False]]
    bounded = float(single_loss(scores[0], ground_truth, temperature=1.0, epsilon=1e-6))
    assert bounded == pytest.approx(-2 * math.log(1e-6) / 4, rel=1e-3)
    assert float(single_loss(scores[0], ground_truth, temperature=1.0)) > 1e3


def test_one_capacity_per_stage():
    message = "`capacities` must have one entry per stage. Received: 1 entries for 2 stages"
    for loss in (e2e_loss, lcron_loss):
        with pytest.raises(ValueError, match=message):
            loss([tf.zeros([1, 3])] * 2, [[True, False, False]], capacities=[2])
