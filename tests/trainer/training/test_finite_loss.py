import math

import pytest
import tensorflow as tf

from trainer.training.finite_loss import DivergedError, FiniteLoss


class Model(tf.keras.Model):
    def __init__(self):
        super().__init__()
        self.ranking_loss = tf.keras.metrics.Mean("ranking_loss")
        self.bad_step = tf.Variable(-1, trainable=False)


@pytest.fixture
def model():
    model = Model()
    model.compile(tf.keras.optimizers.Adam(0.5))
    return model


def finite_loss(model, interval_steps=2) -> FiniteLoss:
    callback = FiniteLoss(interval_steps)
    callback.set_model(model)
    return callback


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(model, value):
    model.bad_step.assign(4)
    model.ranking_loss.update_state(value)
    with pytest.raises(DivergedError, match=r"Training diverged: `ranking_loss` is (nan|inf) at step 5.*now 0\.5") as e:
        finite_loss(model).check()
    assert e.value.step == 4


def test_a_gradient_that_is_not_finite_stops_it_too(model):
    model.bad_step.assign(0)
    with pytest.raises(DivergedError, match=r"Training diverged: the gradient is not finite at step 1\. Lower"):
        finite_loss(model).check()


def test_looks_once_in_an_interval(model):
    callback = finite_loss(model, interval_steps=2)
    callback.on_train_batch_end(1, {})
    model.bad_step.assign(2)
    callback.on_train_batch_end(2, {})
    with pytest.raises(DivergedError):
        callback.on_train_batch_end(3, {})
