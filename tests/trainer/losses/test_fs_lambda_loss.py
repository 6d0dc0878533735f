import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.fs_lambda_loss import fs_lambda_loss


def test_sum_of_stages_is_that_of_the_reference(reference):
    top_n, smoothing = int(reference["lambda_topn"]), float(reference["lambda_smooth"])
    reference.check(
        "fs_lambdaloss",
        lambda scores: sum(fs_lambda_loss(s, reference.labels, top_n=top_n, smoothing=smoothing) for s in scores),
    )


def _discount(rank):
    return 1 / math.log(1 + rank)


@pytest.mark.parametrize("top_n", [None, 1, 2, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
def test_value_is_the_formula(top_n, smoothing):
    scores, labels, rank = [0.5, -1.0, 2.0], [3.0, 1.0, 0.0], [2, 3, 1]
    ideal = 3 * _discount(1) + 1 * _discount(2)
    last = 3 if top_n is None else top_n
    expected = 0.0
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        distance = abs(rank[i] - rank[j])
        by_distance = _discount(distance) - _discount(distance + 1) if min(rank[i], rank[j]) <= last else 0
        by_rank = abs(_discount(rank[i]) * (rank[i] <= last) - _discount(rank[j]) * (rank[j] <= last))
        weight = (labels[i] - labels[j]) / ideal * ((1 - smoothing) * by_distance + smoothing * by_rank)
        expected += 2 * weight * math.log(1 + math.exp(scores[j] - scores[i]))
    # A padded list, one whose labels do not differ, and one whose gains are all zero or negative.
    loss = fs_lambda_loss(
        tf.constant([[0.5, 9.0, -1.0, 2.0], [1.0, 2.0, 3.0, 9.0], [1.0, 2.0, 3.0, 4.0]]),
        tf.constant([[3.0, 9.0, 1.0, 0.0], [2.0, 2.0, 2.0, 7.0], [0.0, -1.0, 0.0, -1.0]]),
        where=tf.constant([[True, False, True, True], [True, True, True, False], [True] * 4]),
        top_n=top_n,
        smoothing=smoothing,
    )
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_the_weights_are_constants():
    """The gradient is that of a weighted RankNet, so it is the weight times one half at equal scores."""
    scores = tf.constant([[0.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = fs_lambda_loss(scores, tf.constant([[1.0, 0.0]]))
    weight = float(loss) / math.log(2)
    np.testing.assert_allclose(tape.gradient(loss, scores), [[-weight / 2, weight / 2]], rtol=1e-6)


def test_top_n_must_be_positive():
    with pytest.raises(ValueError, match=r"`top_n` must be positive or `None`. Received: top_n=0"):
        fs_lambda_loss(tf.zeros([1, 2]), tf.zeros([1, 2]), top_n=0)


@pytest.mark.parametrize("smoothing", [-0.1, 1.5])
def test_smoothing_is_a_share(smoothing):
    with pytest.raises(ValueError, match=rf"`smoothing` must be in \[0, 1\]. Received: smoothing={smoothing}"):
        fs_lambda_loss(tf.zeros([1, 2]), tf.zeros([1, 2]), smoothing=smoothing)
