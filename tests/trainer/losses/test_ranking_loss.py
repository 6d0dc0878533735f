import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_ranking as tfr

from trainer.losses.ranking_loss import KEYS, ranking_loss


def _batch(seed=0):
    rng = np.random.default_rng(seed)
    labels = np.stack([rng.permutation(5) for _ in range(3)]).astype(np.float32)
    return rng.normal(size=[3, 5]).astype(np.float32), labels


def _reset_seeds():
    tf.random.set_seed(7)
    tf.keras.utils.set_random_seed(7)


@pytest.mark.parametrize("key", KEYS)
def test_without_padding_it_is_the_loss_of_tensorflow_ranking(key):
    scores, labels = _batch()
    _reset_seeds()
    expected = tfr.keras.losses.get(key)(labels, scores)
    _reset_seeds()
    assert float(ranking_loss(scores, labels, key=key)) == pytest.approx(float(expected), rel=1e-5)


def test_pointwise_losses_average_over_the_real_items():
    loss = ranking_loss(
        tf.constant([[1.0, 5.0, 2.0], [3.0, 0.0, 9.0], [1.0, 1.0, 1.0]]),
        tf.constant([[0.0, 4.0, 3.0], [1.0, 2.0, 9.0], [1.0, 1.0, 9.0]]),
        where=tf.constant([[True, True, True], [True, True, False], [True, True, False]]),
        key="mean_squared_loss",
    )
    first, second = (1**2 + 1**2 + 1**2) / 3, (2**2 + 2**2) / 2  # the third list has one label only
    assert float(loss) == pytest.approx((first + second) / 2, rel=1e-6)


def test_pairwise_losses_average_over_the_real_items():
    loss = ranking_loss(
        tf.constant([[1.0, 5.0, 2.0]]),
        tf.constant([[1.0, 9.0, 0.0]]),
        where=tf.constant([[True, False, True]]),
        key="pairwise_logistic_loss",
    )
    assert float(loss) == pytest.approx(math.log(1 + math.exp(2 - 1)) / 2, rel=1e-6)


@pytest.mark.parametrize("offset", [-1e3, 0.0, 1e3])
def test_padding_has_no_part_in_a_softmax_wherever_the_scores_lie(offset):
    loss = ranking_loss(
        tf.constant([[1.0, 5.0, 2.0]]) + offset,
        tf.constant([[1.0, 9.0, 0.0]]),
        where=tf.constant([[True, False, True]]),
        key="softmax_loss",
    )
    assert float(loss) == pytest.approx(math.log(1 + math.exp(2 - 1)), rel=1e-4)


def test_list_mle_is_off_by_a_constant_on_padding():
    scores, labels = _batch()
    where = np.tile([True, True, False, True, False], [3, 1])
    padded = ranking_loss(scores, labels, where=where, key="list_mle_loss")
    compact = ranking_loss(scores[:, where[0]], labels[:, where[0]], key="list_mle_loss")
    assert float(padded) == pytest.approx(float(compact) + math.log(math.factorial(2)), rel=1e-5)


def test_an_item_with_a_negative_label_is_left_out():
    scores, labels = _batch()
    labels[:, 2] = -1
    where = np.arange(5) != 2
    loss = ranking_loss(scores, labels, key="pairwise_logistic_loss")
    expected = ranking_loss(scores[:, where], labels[:, where], key="pairwise_logistic_loss")
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)


def test_options_reach_the_loss():
    scores, labels = _batch()
    loss = ranking_loss(scores, labels, key="softmax_loss", temperature=10.0)
    assert float(loss) == pytest.approx(float(ranking_loss(scores / 10, labels, key="softmax_loss")), rel=1e-5)


def test_half_precision_labels_and_scores():
    scores, labels = _batch()
    half = ranking_loss(tf.cast(scores, tf.bfloat16), tf.cast(labels, tf.int64), key="approx_ndcg_loss")
    assert half.dtype == tf.float32


@pytest.mark.parametrize("key", ["ordinal_loss", "lambda_rank"])
def test_unknown_key(key):
    with pytest.raises(ValueError, match=rf"`key` must be one of \('pairwise_hinge_loss', .*\). Received: key='{key}'"):
        ranking_loss(tf.zeros([1, 2]), tf.zeros([1, 2]), key=key)


def test_the_keys_are_those_of_tensorflow_ranking():
    assert set(KEYS) == set(tfr.keras.losses.RankingLossKey.all_keys()) - {"ordinal_loss"}
