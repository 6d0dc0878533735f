import re

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.catalogue_softmax import catalogue_softmax_loss

SCORES = np.array([[9.0, 1.0, 2.0, 0.5], [9.0, -1.0, 0.0, 3.0]], np.float32)
ITEM = np.array([[1, 3], [2, 0]], np.int32)
WEIGHT = np.array([[1.0, 2.0], [0.5, 0.0]], np.float32)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_weighs_the_log_probability_of_each_positive_among_all_items_but_row_zero(temperature):
    logits = SCORES / temperature
    log_total = np.log(np.exp(logits[:, 1:]).sum(axis=1))
    expected = (
        1.0 * (log_total[0] - logits[0, 1]) + 2.0 * (log_total[0] - logits[0, 3]) + 0.5 * (log_total[1] - logits[1, 2])
    ) / 3.5
    loss = catalogue_softmax_loss(SCORES, positive_item=ITEM, positive_weight=WEIGHT, temperature=temperature)
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_gradient_is_the_softmax_less_the_positives():
    scores = tf.constant(SCORES)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = catalogue_softmax_loss(scores, positive_item=ITEM, positive_weight=WEIGHT)
    gradient = tf.convert_to_tensor(tape.gradient(loss, scores)).numpy()
    softmax = np.exp(SCORES[:, 1:]) / np.exp(SCORES[:, 1:]).sum(axis=1, keepdims=True)
    expected = (np.array([[3.0], [0.5]]) * softmax - [[1.0, 0, 2.0], [0, 0.5, 0]]) / 3.5
    np.testing.assert_allclose(gradient[:, 1:], expected, atol=1e-6)
    np.testing.assert_array_equal(gradient[:, 0], 0)


def test_no_positives():
    loss = catalogue_softmax_loss(SCORES, positive_item=ITEM, positive_weight=np.zeros_like(WEIGHT))
    assert float(loss) == 0


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match=re.escape("`temperature` must be positive. Received: temperature=0")):
        catalogue_softmax_loss(SCORES, positive_item=ITEM, positive_weight=WEIGHT, temperature=0)
