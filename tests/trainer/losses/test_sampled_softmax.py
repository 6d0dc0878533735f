import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.catalogue_sampler import CatalogueSampler
from trainer.losses.sampled_softmax import sampled_softmax_loss


def _loss(positive_scores, candidate_scores, positive_item, candidate_item, weight, *, counts=None, temperature=1.0):
    counts = np.ones(100, np.float32) if counts is None else np.asarray(counts, np.float32)
    return sampled_softmax_loss(
        tf.constant(positive_scores, tf.float32),
        tf.constant(candidate_scores, tf.float32),
        positive_item=tf.constant(positive_item),
        candidate_item=tf.constant(candidate_item),
        positive_log_count=tf.constant(np.log(counts[np.array(positive_item)])),
        candidate_log_count=tf.constant(np.log(counts[np.array(candidate_item)])),
        positive_weight=tf.constant(weight, tf.float32),
        temperature=temperature,
    )


def test_value_is_the_formula():
    counts = np.linspace(0.1, 2, 10)
    loss = _loss([[1.0, 2.0]], [[0.5, -1.0]], [[3, 4]], [7, 8], [[1.0, 3.0]], counts=counts, temperature=0.5)
    others = np.exp(1.0) / counts[7] + np.exp(-2.0) / counts[8]
    first, second = np.exp(2.0) / counts[3], np.exp(4.0) / counts[4]
    expected = -(np.log(first / (first + others)) + 3 * np.log(second / (second + others))) / 4
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_the_positives_of_a_request_are_no_negatives_of_it():
    loss = _loss([[1.0, 0.0], [1.0, 0.0]], [[9.0, 2.0]] * 2, [[3, 4], [5, 0]], [3, 6], [[1.0, 1.0], [1.0, 0.0]])
    first = -np.log(np.exp(1) / (np.exp(1) + np.exp(2))) - np.log(1 / (1 + np.exp(2)))
    second = -np.log(np.exp(1) / (np.exp(1) + np.exp(9) + np.exp(2)))
    assert float(loss) == pytest.approx((first + second) / 3, rel=1e-5)


def test_an_item_of_no_weight_is_a_negative():
    loss = _loss([[1.0, 5.0]], [[2.0]], [[3, 4]], [4], [[1.0, 0.0]])
    assert float(loss) == pytest.approx(np.log(1 + np.exp(1)), rel=1e-5)


@pytest.mark.parametrize("score", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("weight", [[[0.0, 0.0]], [[1.0, 0.0]]])
def test_loss_and_gradients_are_finite(score, weight):
    positive, candidate = tf.constant([[score, np.nan]]), tf.constant([[-score, 1.0]])
    with tf.GradientTape() as tape:
        tape.watch([positive, candidate])
        loss = sampled_softmax_loss(
            positive,
            candidate,
            positive_item=tf.constant([[1, 2]]),
            candidate_item=tf.constant([1, 2]),
            positive_log_count=tf.zeros([1, 2]),
            candidate_log_count=tf.zeros([2]),
            positive_weight=tf.constant(weight),
        )
    gradients = tape.gradient(loss, [positive, candidate])
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert gradients[0][0, 1] == 0
    if weight == [[0.0, 0.0]]:
        assert float(loss) == 0


def test_no_other_item_costs_nothing():
    assert float(_loss([[1.0]], [[3.0]], [[2]], [2], [[1.0]])) == pytest.approx(0, abs=1e-6)


def test_the_expected_gradient_is_that_of_the_whole_catalogue():
    """However skewed the sampler, many draws give the softmax over all items."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=21).astype(np.float32)
    sampler = CatalogueSampler(20, np.log(np.r_[1e-9, np.arange(1, 21)] / 210), 0.9)
    candidate = sampler.sample(100_000, tf.constant([1, 2]))
    loss = sampled_softmax_loss(
        scores[np.newaxis, 5:6],
        tf.gather(scores, candidate)[tf.newaxis],
        positive_item=tf.constant([[5]]),
        candidate_item=candidate,
        positive_log_count=tf.zeros([1, 1]),
        candidate_log_count=sampler.log_expected_count(candidate, 100_000, tf.constant(0)),
        positive_weight=tf.ones([1, 1]),
    )
    full = -scores[5] + np.log(np.exp(scores[1:]).sum())
    assert float(loss) == pytest.approx(full, abs=0.02)


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match=r"`temperature` must be positive. Received: temperature=0"):
        _loss([[1.0]], [[1.0]], [[1]], [2], [[1.0]], temperature=0)
